"""The model of a plan in one process, for workers, the server and the replay: the same in all of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import keras

from ddl.training.build import compile_model, plan_model
from ddl.training.checkpoint.transfer import copy_weights, freeze_layers
from ddl.training.data.plan_order import plan_order, reference_batch_size
from ddl.training.data.plan_preprocessing import plan_preprocessing
from ddl.training.data.shared_statistics import find_class_weights, find_normalization
from ddl.training.data.training_data import TrainingData
from ddl.training.parallel.memory import save_memory
from ddl.training.plan.plan import Plan
from ddl.training.run import Run


@dataclass(frozen=True)
class Replica:
    """A compiled model with the initial weights of its plan, and the run that it belongs to."""

    model: keras.Model
    run: Run
    learning_rate: Any  # the schedule, with `set_factor` for a plateau


def build_replica(
    plan: Plan,
    data: TrainingData,
    workers: int,
    facts: Mapping[str, Any] | None = None,
    *,
    initial: bool = True,
) -> Replica:
    """Build the model of a plan for N workers.

    Args:
        plan: as the run directory has it: nothing is left to be chosen.
        data: of the plan.
        workers: N, the parts of a global batch.
        facts: "preprocessing" and "reference_batch_size" of the run, as a checkpoint has them, so that nothing is
            computed again; None for a new run.
        initial: whether to take the plan's `init_weights`. A process that gets all weights need not have that file.
    """
    order = plan_order(plan, len(data.training), workers)
    normalization = find_normalization(plan, data.training, facts)
    preprocessing = plan_preprocessing(
        plan, data.input_shape, data.classes, data.training, normalization
    )
    reference = facts["reference_batch_size"] if facts else reference_batch_size(plan)
    run = Run(plan, order, reference, data.fingerprint, preprocessing)
    run.class_weights = find_class_weights(plan, data.training, data.classes)
    model = plan_model(plan, data)
    if plan.init_weights is not None and initial:
        copy_weights(model, plan.init_weights)
    freeze_layers(model, plan.freeze)
    learning_rate = compile_model(model, run)
    save_memory(model, run)
    return Replica(model, run, learning_rate)
