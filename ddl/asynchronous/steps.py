"""Asynchronous training as the loop sees it: the driver's model is a mirror of the server's.

The loop is the ordinary one, in one plain process, so history, checkpoints, stops and resumes are those of all modes.
The mirror gets all weights at whole steps: for a validation, a checkpoint, and the end.
"""

from __future__ import annotations

import contextlib
import logging
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np

from ddl.asynchronous.audit.log import resume_log
from ddl.asynchronous.cluster.connection import Cluster, take_cluster
from ddl.asynchronous.epoch_leases import Lease, leases_before, position_after
from ddl.asynchronous.job import Job
from ddl.asynchronous.keras_weights import read_weights, write_weights
from ddl.asynchronous.link import Link, ServerLost
from ddl.asynchronous.server import Progress, Whole
from ddl.asynchronous.watch import Watch
from ddl.data.order import Position
from ddl.distributed.keras_patches.uneven_batches import build_metrics
from ddl.distributed.state import model_state
from ddl.distributed.state.variables import assign
from ddl.training.checkpoint.checkpoint_folder import FOLDER, checkpoint_name
from ddl.training.data.training_data import TrainingData
from ddl.training.objectives.losses import needs_input
from ddl.training.profiling.profile import Profile
from ddl.training.run import Run
from ddl.training.steps.bad_data import BadData, naming_bad_data
from ddl.training.steps.nonfinite import listed, nonfinite_samples, origin_indices
from ddl.training.steps.run_batches import global_results, held_out_batches
from ddl.training.steps.step import Taken
from ddl.training.steps.supervised import SupervisedSteps
from ddl.training.steps.weighed_batches import for_outputs
from ddl.training.stops import Diverged

logger = logging.getLogger("ddl")

_LOOK_S = 0.05
_TURN_S = 0.5  # the loop looks for signals between two turns
_MOST_DEATHS = 3
SLEEPS = "DDL_WORKER_SLEEPS_S"
"""Seconds of sleep a sample of each first worker, such as 0.1,0,0: to try out slow machines."""


class AsynchronousSteps(SupervisedSteps):
    """Lets workers train on Ray. `ddl.training.steps.step.Steps` documents the methods."""

    def __init__(
        self, model: keras.Model, run: Run, data: TrainingData, profile: Profile | None = None
    ) -> None:
        """Prepare. The model's weights and slots count."""
        super().__init__(model, run, data, profile)
        self._is_open = False  # whether the server has the run's epoch
        self._not_finite = ""
        self._deaths = 0  # of servers, since an epoch or a checkpoint
        self._waits = True  # for `min_workers`

    def __enter__(self) -> AsynchronousSteps:
        try:
            self._begin()
        except BaseException:
            self._open.close()
            raise
        return self

    def _begin(self) -> None:
        """Open the validation, and start server and workers."""
        self._open_validation()
        run, cluster = self._run, take_cluster()
        order, plan = run.order, run.plan
        job = Job(plan.to_dict(), run.facts(), order.size, self._data.fingerprint, str(Path.cwd()))
        self._link = Link(job)
        sleeps = tuple(float(part) for part in os.environ.get(SLEEPS, "").split(",") if part)
        patience_s = max(60.0, 2 * plan.lease_timeout_s)
        self._watch = Watch(order.size, patience_s, sleeps)
        version = leases_before(order, run.position)
        stored = run.mode_facts.get("asynchronous", {})
        optimizer: Any = self.model.optimizer
        self._newest = Whole(
            *(run.position, version, read_weights(self.model)),
            *([np.array(slot.numpy()) for slot in optimizer.variables], stored.get("updates")),
        )
        lost = resume_log(plan.run_dir, version)
        if lost:
            logger.info("%d updates after the checkpoint are made again.", lost)
        self._open.callback(self._close, cluster)
        self._start_server(self._start_file())
        cluster.describe(plan.run_dir)

    def begin_epoch(self) -> None:
        super().begin_epoch()
        self._is_open = False

    def take(self, most: int) -> Taken:
        """Wait until whole steps are applied; after half a second return 0 of them, so that signals are seen."""
        begin, run = time.perf_counter(), self._run
        while True:
            try:
                progress = self._look()
                count = self._steps_of(progress) - run.position.step
            except ServerLost as lost:
                self._recover(lost)
                count = 0
            if count > 0:
                self.first_step_s = self.first_step_s or time.perf_counter() - begin
                return Taken(count, self._logs(progress))
            if stop := self._why_stop():
                return Taken(0, {}, stop)
            if self._not_finite or time.perf_counter() - begin > _TURN_S:
                return Taken(0, {})
            time.sleep(_LOOK_S)

    def check_losses(self, last_good: Callable[[], str]) -> None:
        if self._not_finite:
            raise Diverged(self._not_finite.replace("LAST_GOOD", last_good()))

    def results(self) -> dict[str, Any]:
        """Return losses and metrics of the training epoch, with ages and lost leases, or of the validation."""
        if self._training_sums:
            return global_results(self.model)
        while True:
            try:
                self._ensure_open()
                results = self._link.call("results")
                self._mirror(self._link.call("whole"))
                break
            except ServerLost as lost:
                self._recover(lost)
                self._finish_epoch()
        workers = float(self._watch.count)
        return {**global_results(self.model), **results, "workers": workers}

    @contextlib.contextmanager
    def training_state(self) -> Iterator[None]:
        if self._training_sums or not self._is_open:
            with super().training_state():
                yield
            return
        before, whole = self._run.position, self._paused()
        self._mirror(whole or self._newest)
        yield
        if whole is None:
            self._run.position = (
                before  # an older state was saved: no worker completes the steps that have begun
            )
        with contextlib.suppress(ServerLost):  # `take` recovers
            self._link.call("go_on")

    def _open_validation(self) -> None:
        """Open the validation's batches, and build optimizer and metrics."""
        run, model = self._run, self.model
        held_out = self._data.validation
        parts = [] if held_out is None else [held_out_batches(run, held_out)]
        example = held_out_batches(run, self._data.training)  # only for its shapes
        self._open.enter_context(naming_bad_data(*parts))
        for part in (*parts, example):
            self._open.enter_context(part)
        from_input = needs_input(run.plan.loss)
        batches = for_outputs(model, example.dataset, run.class_weights, needs_input=from_input)
        self._validation = [for_outputs(model, p.dataset, needs_input=from_input) for p in parts]
        model_state.build_optimizer(model)
        build_metrics(model, batches.element_spec)
        model.make_test_function()

    def _start_server(self, checkpoint: str | None) -> None:
        try:
            self._link.start(self._newest, checkpoint, lambda: self._watch.look(lambda _: []))
        except ValueError as error:
            raise BadData(str(error)) from error
        self._is_open = False

    def _start_file(self) -> str | None:
        """Return the checkpoint that the run begins from, within its folder where it is there."""
        run = self._run
        if run.position == Position():
            return None
        plan, position = run.plan, run.position
        own = f"{FOLDER}/{checkpoint_name(position.epoch, position.step)}"
        return own if (plan.run_dir / own).is_file() else str(plan.resume)

    def _look(self) -> Progress:
        """Look after workers, and return how far the server is."""
        self._ensure_open()
        progress: Progress = self._link.call("progress")
        self._watch.note(progress.workers, progress.applied_by, self._gone)
        self._watch.look(self._gone)
        if progress.not_finite is not None and not self._not_finite:
            self._not_finite = self._why_diverged(progress.not_finite)
        return progress

    def _gone(self, worker: str) -> list[Lease]:
        """Tell the server of a worker that is gone, and return the leases that it had."""
        leases: list[Lease] = self._link.call("gone", worker)
        return leases

    def _ensure_open(self) -> None:
        """Let the server hand out the run's epoch, once `min_workers` are there."""
        if self._is_open:
            return
        run, order = self._run, self._run.order
        first = leases_before(order, Position(run.position.epoch))
        applied = range(first, leases_before(order, run.position))
        metrics: list[np.ndarray] = []
        if applied:
            is_newest = run.position == self._newest.position and len(self._newest.metrics)
            found = self.model.metrics_variables
            metrics = list(self._newest.metrics) if is_newest else [v.numpy() for v in found]
        self._link.call("open_epoch", run.position.epoch, applied, metrics, run.history)
        self._is_open = True

    def _steps_of(self, progress: Progress) -> int:
        """Return the whole steps' worth of the epoch's leases that are applied."""
        position = position_after(self._run.order, progress.version)
        is_over = position.epoch > self._run.position.epoch
        return self._run.steps_per_epoch if is_over else position.step

    def _logs(self, progress: Progress) -> dict[str, float]:
        """Return losses and metrics so far."""
        assign(self.model.metrics_variables, progress.metrics)
        values = self.model.get_metrics_result()
        return {**{name: float(v) for name, v in values.items()}, "workers": self._watch.count}

    def _why_stop(self) -> str:
        """Return why the run cannot go on: its last worker is gone for too long."""
        since = self._watch.alone_since
        limit = self._run.plan.lease_timeout_s
        if since is None:
            return ""
        if self._watch.is_given_up and isinstance(self._watch.error, ValueError | OSError):
            raise BadData(str(self._watch.error))
        if time.monotonic() - since < limit:
            return ""
        return f"the loss of its last worker, {limit:g} s ago"

    def _mirror(self, whole: Whole) -> None:
        """Take the server's state over into the driver's model, and keep it for a server that follows."""
        run = self._run
        self._newest, self._deaths = whole, 0
        write_weights(self.model, whole.arrays)
        optimizer: Any = self.model.optimizer
        assign(list(optimizer.variables), whole.slots)
        if len(whole.metrics):
            assign(self.model.metrics_variables, whole.metrics)
        position = whole.position
        if position.epoch > run.position.epoch:  # the epoch's end, before its validation
            position = Position(run.position.epoch, run.steps_per_epoch)
        run.position = position
        step = position.epoch * run.steps_per_epoch + position.step
        optimizer.iterations.assign(step)  # of which the schedule is a function
        run.mode_facts = {"asynchronous": whole.state}

    def _paused(self) -> Whole | None:
        """Let workers complete the steps that have begun, and return everything; None if they do not."""
        until = time.monotonic() + 2 * self._run.plan.lease_timeout_s
        try:
            self._link.call("pause")
            while time.monotonic() < until and not self._why_stop():
                if self._look().is_whole:
                    whole: Whole = self._link.call("whole")
                    return whole
                time.sleep(_LOOK_S)
        except ServerLost as lost:
            self._recover(lost)
        return None

    def _recover(self, lost: ServerLost) -> None:
        """Start another server from the newest whole state."""
        run = self._run
        self._deaths += 1
        if self._deaths > _MOST_DEATHS:
            raise RuntimeError(
                f"The server was lost {self._deaths} times without progress: {lost}."
            )
        host, pid = self._link.place
        position = self._newest.position
        again = resume_log(run.plan.run_dir, self._newest.version)
        logger.warning(
            "The server on %s (process %d) is lost: %s. Another one goes on from step %d of epoch %d; %d updates are "
            "made again.",
            *(host, pid, lost, position.step, position.epoch + 1, again),
        )
        if position.epoch > run.position.epoch:
            position = Position(run.position.epoch, run.steps_per_epoch)
        run.position = position
        with contextlib.suppress(ServerLost):  # the next call finds it
            self._start_server(None)

    def _finish_epoch(self) -> None:
        """Wait for the steps that a lost server had, at the end of an epoch."""
        while self._run.position.step < self._run.steps_per_epoch:
            self._run.advance(self.take(1).count)

    def _why_diverged(self, lease: Lease) -> str:
        """Return what to say about a lease whose loss or gradient is NaN or infinite."""
        samples = self._data.training
        bad = origin_indices(samples, nonfinite_samples(samples, lease.indices))
        advice = (
            f"Samples {listed(bad)} hold NaN or infinity: repair or remove them."
            if bad
            else "Use a smaller --learning-rate, --optimizer-option global_clipnorm=1 or a longer --warmup-epochs; or "
            "look at these samples."
        )
        return (
            f"The loss or a gradient became NaN or infinite at step {lease.step + 1} of epoch {lease.epoch + 1}, in "
            f"part {lease.part + 1} (samples {listed(origin_indices(samples, lease.indices))}). LAST_GOOD {advice}"
        )

    def _close(self, cluster: Cluster) -> None:
        """End workers, server and Ray, in this order."""
        import ray

        try:
            with contextlib.suppress(ServerLost, ray.exceptions.RayError):
                self._link.call("close")
            self._watch.close()
            if self._watch.joined():
                time.sleep(1.0)  # they hear that the run is over
            self._link.end()
        finally:
            cluster.close()
