"""From a `Plan` to what the loop needs: data, a compiled model, and where the run stands."""

from __future__ import annotations

import contextlib
import logging
import socket
from dataclasses import dataclass
from typing import Any

import keras

import ddl.distributed as dist
from ddl.data.order import Position, SampleOrder
from ddl.distributed.on_ranks import on_all, on_root
from ddl.training.build import compile_model, plan_model
from ddl.training.checkpoint.checkpoint_file import Checkpoint
from ddl.training.checkpoint.resume import check_data, find_start, resumed_run
from ddl.training.checkpoint.saver import Saver
from ddl.training.checkpoint.snapshot import Snapshot
from ddl.training.checkpoint.transfer import freeze_layers, take_over_weights
from ddl.training.data.plan_preprocessing import training_preprocessing
from ddl.training.data.training_data import TrainingData, open_data
from ddl.training.plan.plan import Plan
from ddl.training.record.recorder import hold_run_dir
from ddl.training.record.run_dir import EarlyLines
from ddl.training.run import Interrupted, Run
from ddl.training.stop_request import StopRequest, signal_name

logger = logging.getLogger("ddl")


@dataclass(frozen=True)
class Setup:
    """A plan that is ready to be trained, in a run directory that this job holds. All ranks have one.

    Attributes:
        data: samples to train on and to validate with.
        run: where the training stands: at its first step, or where a checkpoint has left it.
        model: compiled, with the weights to start from.
        learning_rate: the model's schedule.
        saver: takes and restores its checkpoints.
        stop: remembers signals.
        early: lines that were logged before there was a run directory.
        held: holds the run directory until it is closed.
    """

    data: TrainingData
    run: Run
    model: keras.Model
    learning_rate: Any
    saver: Saver
    stop: StopRequest
    early: EarlyLines
    held: contextlib.ExitStack


def set_up(
    plan: Plan,
    data: TrainingData | None,
    stop: StopRequest,
    checkpoint: Checkpoint | None = None,
) -> Setup:
    """Open the data, build the model, restore the checkpoint that the plan resumes from, and hold the run directory.

    All ranks must call it. What does not fit together is refused before anything is written.

    Args:
        plan: what to train.
        data: what `open_data(plan)` returns, where the caller has opened it already.
        stop: entered by the caller, who may have done so before TensorFlow was loaded.
        checkpoint: what `find_start(plan)` returned on rank 0, where the caller has called it already.

    Raises:
        ValueError: the plan does not fit the data, the model or the checkpoint; on all ranks.
        Interrupted: a signal came meanwhile; nothing is written.
    """
    _check_stop(stop)
    early = EarlyLines()
    try:
        data = data or open_data(plan)
        run, model, learning_rate, saver = _build(plan, data, checkpoint)
        _check_stop(stop)
    except BaseException:
        early.hand_over(None)
        raise
    _describe(run, model, data)
    hosts, held = dist.allgather(socket.gethostname()), contextlib.ExitStack()
    on_root(lambda: held.enter_context(hold_run_dir(run, hosts)))
    return Setup(data, run, model, learning_rate, saver, stop, early, held)


def _build(
    plan: Plan, data: TrainingData, checkpoint: Checkpoint | None
) -> tuple[Run, keras.Model, Any, Saver]:
    """Return where the run stands, its compiled model with the weights to start from, its learning rate and saver."""
    snapshot, run = _start(plan, data, checkpoint)
    is_new = run.position == Position()
    model = on_all(lambda: plan_model(plan, data))
    if is_new and plan.init_weights is not None:
        source = plan.init_weights
        on_root(lambda: take_over_weights(model, source))
    freeze_layers(model, plan.freeze)
    learning_rate = compile_model(model, run)
    saver = Saver(model, run)
    if not is_new:
        saver.restore(snapshot)
    return run, model, learning_rate, saver


def _check_stop(stop: StopRequest) -> None:
    """Stop, on all ranks, where a signal came while everything was loaded. Nothing has been written yet."""
    number = int(dist.allreduce(stop.signal, "max"))
    if number:
        raise Interrupted(signal_name(number))


def _start(
    plan: Plan, data: TrainingData, checkpoint: Checkpoint | None
) -> tuple[Snapshot | None, Run]:
    """Return what the checkpoint holds that the run resumes from (on rank 0), and where the run stands (on all)."""
    order = SampleOrder(
        plan.order, len(data.training), plan.per_rank_batch_size, dist.size(), plan.seed
    )
    preprocessing = training_preprocessing(plan, data)
    fingerprint = dist.broadcast(data.fingerprint)
    snapshots: list[Snapshot] = []

    def find() -> dict[str, Any] | None:
        start = checkpoint or find_start(plan)
        if start is None:
            if plan.resume is not None:
                logger.info("There is no checkpoint yet: the run starts at its first step.")
            return None
        check_data(fingerprint, start.facts, start.path)
        snapshots.append(start.read())
        logger.info("The run resumes from %s.", start.path)
        return start.facts

    facts = on_root(find)
    if facts is None:
        return None, Run(plan, order, plan.per_rank_batch_size, fingerprint, preprocessing)
    run = resumed_run(plan, order, preprocessing, facts)
    return (snapshots[0] if snapshots else None), run


def _describe(run: Run, model: keras.Model, data: TrainingData) -> None:
    """Log in a line what starts, resumes, or is complete already."""
    if not dist.is_root():
        return
    plan = run.plan
    if run.is_over:
        logger.info(
            "%d of %d epochs are complete. To train on, raise --epochs.",
            len(run.history),
            plan.epochs,
        )
        return
    logger.info(
        "%d training and %d validation samples, %s with %s weights, %d rank(s), %d steps an epoch; results in %s.",
        len(data.training), len(data.validation), plan.model, f"{model.count_params():,}",
        dist.size(), run.steps_per_epoch, plan.run_dir,
    )  # fmt: skip
