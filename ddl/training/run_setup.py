"""Prepares a plan for the loop: opens its data, compiles its model, restores its checkpoint."""

from __future__ import annotations

import contextlib
import logging
import socket
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras

import ddl.distributed as dist
from ddl.data.order import Position
from ddl.distributed.on_ranks import on_all, on_root
from ddl.models.layer_table import layer_table
from ddl.training.build import compile_model, plan_model
from ddl.training.checkpoint.checkpoint_file import Checkpoint, Snapshot
from ddl.training.checkpoint.resume import check_data, find_start, resumed_run
from ddl.training.checkpoint.saver import Saver
from ddl.training.checkpoint.transfer import copy_weights, freeze_layers
from ddl.training.data.outputs import check_outputs
from ddl.training.data.plan_order import plan_order, reference_batch_size
from ddl.training.data.plan_preprocessing import plan_preprocessing
from ddl.training.data.shared_statistics import find_class_weights, find_normalization
from ddl.training.data.training_data import TrainingData, open_data
from ddl.training.outputs.announcement import announce
from ddl.training.outputs.assembled import check_assembled
from ddl.training.outputs.checks import check_predicted
from ddl.training.outputs.graph_file import dot_text
from ddl.training.parallel.memory import save_memory
from ddl.training.plan.plan import Plan
from ddl.training.precision import settle_precision
from ddl.training.record.origin import hold_run_dir
from ddl.training.record.run_dir import EarlyLines
from ddl.training.run import Run
from ddl.training.steps.compilation import check_compilable
from ddl.training.steps.kinds import end_mode, parts_of_a_batch, start_mode
from ddl.training.stop_request import StopRequest, signal_name
from ddl.training.stops import Interrupted

logger = logging.getLogger("ddl")

FindStart = Callable[[Plan], Checkpoint | None]


@dataclass(frozen=True)
class Setup:
    """A plan that is ready to train, in a run directory that this job has locked. Every rank has one."""

    data: TrainingData
    run: Run  # at its first step, or at that of a checkpoint
    model: keras.Model  # compiled, with its weights on rank 0
    learning_rate: Any  # the model's schedule
    saver: Saver
    stop: StopRequest
    early_log: EarlyLines  # logged before the run directory existed
    run_dir_lock: contextlib.ExitStack  # closing it unlocks the run directory
    hosts: tuple[str, ...]  # each rank's


def set_up(
    plan: Plan,
    data: TrainingData | None,
    stop: StopRequest,
    find: FindStart = find_start,
) -> Setup:
    """Open the data, build the model, restore the checkpoint that the plan resumes from, and lock the run directory.

    All ranks must call it. Errors are raised before anything is written.

    Args:
        plan: the configuration of the run.
        data: the result of `open_data(plan)`, if the caller has it already.
        stop: entered by the caller, perhaps before TensorFlow was loaded.
        find: returns the checkpoint to resume from, on rank 0; a caller that has it already returns that.

    Raises:
        ValueError: on all ranks: the plan does not fit the data, the model or the checkpoint.
        Interrupted: a signal arrived; nothing is written.
    """
    _check_stop(stop)
    early_log = EarlyLines()
    try:
        data = data or open_data(plan)
        run, model, learning_rate, saver = _build(plan, data, find)
        _check_stop(stop)
    except BaseException:
        early_log.hand_over(None)
        end_mode(plan)
        raise
    announce(run, model, data)
    hosts, run_dir_lock = dist.allgather(socket.gethostname()), contextlib.ExitStack()
    on_root(lambda: run_dir_lock.enter_context(hold_run_dir(run, hosts)))
    return Setup(
        data, run, model, learning_rate, saver, stop, early_log, run_dir_lock, tuple(hosts)
    )


def _build(plan: Plan, data: TrainingData, find: FindStart) -> tuple[Run, keras.Model, Any, Saver]:
    """Return the run, its compiled model with initial weights, its schedule and its saver."""
    snapshot, run = _start(plan, data, find)
    plan, is_new = run.plan, run.position == Position()
    model = on_all(lambda: plan_model(plan, data))
    check_outputs(plan, model.outputs[0].shape[1:], data.training)
    init_weights = plan.init_weights
    if is_new and init_weights is not None:
        on_root(lambda: copy_weights(model, init_weights))
    freeze_layers(model, plan.freeze)
    learning_rate = compile_model(model, run)
    check_compilable(model, plan.jit)
    on_all(lambda: save_memory(model, run))
    if plan.assembled_output is not None:
        on_all(lambda: check_assembled(model.outputs[0].shape[1:], data.validation))
    if dist.is_root():
        run.layers = layer_table(model)
        run.graph = dot_text(model) if plan.graph else ""
    saver = Saver(model, run)
    if not is_new:
        saver.restore(snapshot)
    return run, model, learning_rate, saver


def _check_stop(stop: StopRequest) -> None:
    """Stop all ranks if a signal arrived during set-up. Nothing has been written yet."""
    number = int(dist.allreduce(stop.signal, "max"))
    if number:
        raise Interrupted(signal_name(number))


def _start(plan: Plan, data: TrainingData, find: FindStart) -> tuple[Snapshot | None, Run]:
    """Return the checkpoint's contents (on rank 0; None without one) and the run at its position (on all ranks)."""
    data.check_parts(plan)
    on_root(lambda: check_predicted(plan, data.validation))
    fingerprint = dist.broadcast(data.fingerprint)
    snapshots: list[Snapshot] = []

    def read_start() -> dict[str, Any] | None:
        start = find(plan)
        if start is None:
            if plan.resume is not None:
                logger.info("There is no checkpoint yet: the run starts at its first step.")
            return None
        check_data(fingerprint, start.facts, start.path)
        snapshots.append(start.read())
        logger.info("The run resumes from %s.", start.path)
        return start.facts

    facts = on_root(read_start)
    plan = start_mode(plan)
    order = plan_order(plan, len(data.training), parts_of_a_batch(plan))
    plan = settle_precision(plan, facts["plan"]["mixed_precision"] if facts else None)
    normalization = find_normalization(plan, data.training, facts)
    preprocessing = plan_preprocessing(
        plan, data.input_shape, data.classes, data.training, normalization
    )
    if facts is None:
        run = Run(plan, order, reference_batch_size(plan), fingerprint, preprocessing)
    else:
        run = resumed_run(plan, order, preprocessing, facts)
    run.class_weights = find_class_weights(plan, data.training, data.classes)
    return (snapshots[0] if snapshots else None), run
