"""A `Plan` in, a history out: the training itself, on every rank that the launcher started."""

from __future__ import annotations

import contextlib
import logging
import socket
from typing import Any

import keras

import ddl.distributed as dist
from ddl.data.order import Position, SampleOrder
from ddl.training.account import claim
from ddl.training.blocks import Blocks
from ddl.training.build import compile_model, plan_model
from ddl.training.checkpoint import Checkpoint
from ddl.training.data import TrainingData, open_data
from ddl.training.epochs import Feed, FollowHistory, train_epochs
from ddl.training.plan import Plan
from ddl.training.preprocessing import training_preprocessing
from ddl.training.profile import profiling
from ddl.training.report import Report
from ddl.training.resume import check_data, find_start, resumed_run
from ddl.training.run import Epoch, Interrupted, Run
from ddl.training.run_dir import EarlyLines
from ddl.training.saver import Saver
from ddl.training.snapshot import Snapshot
from ddl.training.step_time import profiled_steps
from ddl.training.stop_request import StopRequest, signal_name
from ddl.training.supervisor import Supervisor
from ddl.training.together import on_all, on_root
from ddl.training.transfer import freeze_layers, take_over_weights

logger = logging.getLogger("ddl")


def train(plan: Plan, data: TrainingData | None = None) -> list[Epoch]:
    """Train, and return the history: a dict an epoch, the same on all ranks.

    All ranks must call it, after `ddl.distributed.init()`. Rank 0 writes everything into the run directory.

    Args:
        plan: what to train.
        data: what `open_data(plan)` returns, where the caller has opened it already.

    Raises:
        ValueError: the plan does not fit the data, the model or the checkpoint; on all ranks.
        Interrupted: a signal or the time limit ended it, after a checkpoint.
        Diverged: the loss is no number any more.
    """
    with StopRequest() as stop:
        return Training(plan, data, stop).run()


class Training:
    """A plan that is ready to be trained: data opened, model compiled, checkpoint restored. All ranks make one.

    What does not fit together is refused here; `run` then trains.
    """

    def __init__(
        self,
        plan: Plan,
        data: TrainingData | None,
        stop: StopRequest,
        checkpoint: Checkpoint | None = None,
    ) -> None:
        """Get ready.

        Args:
            plan: what to train.
            data: what `open_data(plan)` returns, where the caller has opened it already.
            stop: entered by the caller, who may have done so before TensorFlow was loaded.
            checkpoint: what `find_start(plan)` returns on rank 0, where the caller has called it already.
        """
        _check_stop(stop)
        self._stop = stop
        self._early = EarlyLines()
        try:
            self._get_ready(plan, data, checkpoint)
            _check_stop(stop)
        except BaseException:
            self._early.hand_over(None)
            raise
        hosts = dist.allgather(socket.gethostname())
        self._held = contextlib.ExitStack()
        on_root(lambda: self._held.enter_context(claim(self._run, hosts)))

    def _get_ready(
        self, plan: Plan, data: TrainingData | None, checkpoint: Checkpoint | None
    ) -> None:
        self.data = data or open_data(plan)
        snapshot, self._run = _start(plan, self.data, checkpoint)
        is_new = self._run.position == Position()
        self.model = on_all(lambda: plan_model(plan, self.data))
        if is_new and plan.init_weights is not None:
            source = plan.init_weights
            on_root(lambda: take_over_weights(self.model, source))
        freeze_layers(self.model, plan.freeze)
        self._learning_rate = compile_model(self.model, self._run)
        self._saver = Saver(self.model, self._run)
        if not is_new:
            self._saver.restore(snapshot)

    def run(self) -> list[Epoch]:
        """Train to the end, and return the history. All ranks must call it."""
        run, model = self._run, self.model
        feed = Feed(model, run, self.data)
        self._say(_described(run, model, self.data))
        blocks = Blocks(
            run.plan.steps_per_execution or 1,
            profiled_steps(run.plan.profile),
            last_alone=run.order.ends_unevenly,
        )
        report = Report(run, self.data, blocks, feed.validation_steps, self._early)
        with self._held, report, self._saver, profiling(run) as profiles:
            callbacks = [
                *profiles,
                blocks,
                *dist.standard_callbacks(),
                FollowHistory(run, self._learning_rate),
                Supervisor(run, self._saver, self._stop, feed, blocks),
                report,
            ]
            train_epochs(model, run, feed, callbacks)
            report.finish(model)
            self._say(f"the model is {run.plan.run_dir / 'model.keras'}.")
        return run.history

    @staticmethod
    def _say(text: str) -> None:
        if dist.is_root():
            logger.info("%s", text)


def _described(run: Run, model: keras.Model, data: TrainingData) -> str:
    """Return in a line what begins, goes on, or is done already."""
    plan = run.plan
    if run.is_over:
        return f"{len(run.history)} of {plan.epochs} epochs are done, and no more is asked for: raise --epochs."
    return (
        f"{len(data.training)} training and {len(data.validation)} validation samples, {plan.model} with "
        f"{model.count_params():,} weights, {dist.size()} rank(s), {run.steps_per_epoch} steps an epoch; results in "
        f"{plan.run_dir}."
    )


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
    fingerprint, how = dist.broadcast(data.fingerprint), training_preprocessing(plan, data)
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
        return None, Run(plan, order, plan.per_rank_batch_size, fingerprint, how)
    return (snapshots[0] if snapshots else None), resumed_run(plan, order, how, facts)
