"""Which steps a plan takes."""

from __future__ import annotations

import importlib

import keras

import ddl.distributed as dist
from ddl.distributed.gradients import traffic
from ddl.training.adversarial.steps import AdversarialSteps
from ddl.training.data.training_data import TrainingData
from ddl.training.optimization.optimizers import is_full_batch
from ddl.training.plan.plan import Plan
from ddl.training.probing.probed_steps import ProbedSteps
from ddl.training.profiling.profile import Profile
from ddl.training.run import Run
from ddl.training.steps.second_order import SecondOrderSteps
from ddl.training.steps.step import Steps
from ddl.training.steps.supervised import SupervisedSteps

MODES = {
    "balanced": "ddl.training.parallel.balanced:BalancedSteps",
    "local": "ddl.training.parallel.local:LocalSteps",
    "async": "ddl.asynchronous.steps:AsynchronousSteps",
}
"""Mode of parallel training -> its steps. By name: Ray and its room, which is above this one, load only for their mode.
"""
STARTED = {"async": "ddl.asynchronous.cluster.connection"}
"""Mode -> the module that starts what it needs besides ranks, before its run is set up, and ends it again."""
PARTITIONED = "ddl.training.parallel.partition.steps:PartitionedSteps"


def start_mode(plan: Plan) -> Plan:
    """Start what the plan's mode needs besides ranks, and return the plan with what this has settled.

    Raises:
        ValueError: it does not start here.
    """
    if plan.parallel not in STARTED:
        return plan
    settled: Plan = importlib.import_module(STARTED[plan.parallel]).prepare(plan)
    return settled


def end_mode(plan: Plan) -> None:
    """End what `start_mode` has started, where no steps were taken that do so."""
    if plan.parallel in STARTED:
        importlib.import_module(STARTED[plan.parallel]).close_all()


def parts_of_a_batch(plan: Plan) -> int:
    """Return how many parts a global batch has: the ranks, or in asynchronous training the workers planned."""
    return plan.workers if plan.parallel == "async" else dist.size()


def make_steps(
    model: keras.Model, run: Run, data: TrainingData, profile: Profile | None = None
) -> Steps:
    """Return the steps of the run's plan. Every rank has them."""
    traffic.reset()
    if is_full_batch(run.plan.optimizer):
        return SecondOrderSteps(model, run, data)
    if run.plan.is_adversarial:
        return AdversarialSteps(model, run, data, profile)
    if run.plan.probe:
        return ProbedSteps(model, run, data, profile)
    other = PARTITIONED if run.plan.partition != "none" else MODES.get(run.plan.parallel)
    if other is not None:
        module, _, name = other.partition(":")
        steps: Steps = getattr(importlib.import_module(module), name)(model, run, data, profile)
        return steps
    return SupervisedSteps(model, run, data, profile)
