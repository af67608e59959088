"""Which steps a plan takes."""

from __future__ import annotations

import importlib

import keras

from ddl.distributed.gradients import traffic
from ddl.training.data.training_data import TrainingData
from ddl.training.optimization.optimizers import is_full_batch
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
PARTITIONED = "ddl.training.parallel.partition.steps:PartitionedSteps"


def make_steps(
    model: keras.Model, run: Run, data: TrainingData, profile: Profile | None = None
) -> Steps:
    """Return the steps of the run's plan. Every rank has them."""
    traffic.reset()
    if is_full_batch(run.plan.optimizer):
        return SecondOrderSteps(model, run, data)
    if run.plan.probe:
        return ProbedSteps(model, run, data, profile)
    other = PARTITIONED if run.plan.partition != "none" else MODES.get(run.plan.parallel)
    if other is not None:
        module, _, name = other.partition(":")
        steps: Steps = getattr(importlib.import_module(module), name)(model, run, data, profile)
        return steps
    return SupervisedSteps(model, run, data, profile)
