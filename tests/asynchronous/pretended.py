"""An asynchronous run without Ray: the real server and gradients, and workers that take turns in one process."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import ddl.distributed as dist
from ddl.asynchronous.ages import AgeRules
from ddl.asynchronous.audit.log import Log, start_line
from ddl.asynchronous.epoch_leases import Lease
from ddl.asynchronous.gradient import LeaseGradient
from ddl.asynchronous.keras_weights import KerasWeights, write_weights
from ddl.asynchronous.replica import build_replica
from ddl.asynchronous.server_state import Push, ServerState, Snapshot
from ddl.data.order import Position
from ddl.training.checkpoint.checkpoint_file import open_checkpoint, write_checkpoint
from ddl.training.checkpoint.checkpoint_folder import FOLDER, checkpoint_name
from ddl.training.checkpoint.snapshot import restore_snapshot, take_snapshot
from ddl.training.data.training_data import TrainingData, open_data
from ddl.training.plan.plan import Plan

DEFAULTS: dict[str, Any] = {
    "parallel": "async",
    "model": "cnn",
    "data": "synthetic-labels",
    "data_option": {"count": 43, "classes": 3},
    "image_size": (16, 16),
    "loss": "categorical_crossentropy",
    "metric": ("top_1",),
    "learning_rate": 0.01,
    "per_rank_batch_size": 4,
    "tensorboard": False,
    "epochs": 2,
}


def pretended_plan(run_dir: Path, **fields: Any) -> Plan:
    """Return the plan of a small run."""
    return Plan(run_dir=run_dir, **{**DEFAULTS, **fields})


class PretendedRun:
    """The run of a plan with N workers, of which one computes at a time, in an order drawn from a seed.

    A worker reads the weights when it takes a lease, and pushes when its turn comes: meanwhile others have pushed.
    """

    def __init__(
        self, plan: Plan, workers: int, *, seed: int = 0, data: TrainingData | None = None
    ) -> None:
        dist.init()
        self.plan, self.workers = plan, workers
        self.data = data or open_data(plan)
        self.random = np.random.default_rng(seed)
        self.rules = AgeRules(workers, plan.max_staleness, plan.staleness_scaling)
        self.replica = build_replica(plan, self.data, workers)
        computing = build_replica(plan, self.data, workers, initial=False)
        self.computing = computing.model
        self.gradient = LeaseGradient(computing.model, computing.run, self.data)
        self.pushes = 0
        self.sabotage: Callable[[PretendedRun, int, Lease, Push], Push] | None = None

    def start(self, checkpoint: str | None = None) -> PretendedRun:
        """Begin, or go on from a checkpoint."""
        run_dir, position, updates = self.plan.run_dir, Position(), None
        run_dir.mkdir(parents=True, exist_ok=True)
        (run_dir / "plan.json").write_text(self.plan.to_json())
        if checkpoint is not None:
            opened = open_checkpoint(run_dir / checkpoint)
            restore_snapshot(self.replica.model, opened.read())
            position = Position(**opened.facts["position"])
            updates = opened.facts.get("asynchronous", {}).get("updates")
        self.replica.run.position = position
        self.weights = KerasWeights(self.replica.model, updates=updates)
        self.log = Log(run_dir)
        order = self.replica.run.order
        self.log.begin(
            start_line(
                self.plan.to_dict(),
                self.data.fingerprint,
                order,
                position,
                self.rules,
                checkpoint,
            )
        )
        self.state = ServerState(
            self.weights, order, self.rules, timeout_s=60, log=self.log, start=position
        )
        return self

    def epoch(self, epoch: int, *, steps: int | None = None) -> None:
        """Train an epoch, or its first steps, and write a checkpoint."""
        state, order = self.state, self.replica.run.order
        applied = self.replica.run.position.step * order.size
        first = state.version - applied
        state.open_epoch(epoch, range(first, first + applied))
        busy: dict[str, tuple[Lease, Snapshot]] = {}
        while not state.book.is_complete:
            if steps is not None and state.version >= first + steps * order.size - order.size:
                state.book.pause()
                if state.book.is_whole:
                    break
            for name in (f"worker-{number}" for number in range(self.workers)):
                if name not in busy and (lease := state.next(name, now=0.0)) is not None:
                    busy[name] = lease, state.read()
            name = str(self.random.choice(sorted(busy)))
            lease, snapshot = busy.pop(name)
            self.push(name, lease, snapshot)
        self.save(epoch)

    def push(self, name: str, lease: Lease, snapshot: Snapshot) -> None:
        """Compute a gradient and push it."""
        self.pushes += 1
        write_weights(self.computing, snapshot.arrays)
        push = self.gradient(lease)
        if self.sabotage is not None:
            push = self.sabotage(self, self.pushes, lease, push)
        self.state.push(name, lease.number, snapshot.version, push, now=0.0)

    def save(self, epoch: int) -> Path:
        """Write a checkpoint at the present position, as training does."""
        run, position = self.replica.run, self.state.position
        run.position = position
        if position.epoch > epoch:
            run.history.append({"epoch": epoch + 1, "loss": 0.0, "val_loss": 0.0})
        facts = run.facts() | {
            "asynchronous": {**self.state.state(), "updates": self.weights.updates}
        }
        self.log.sync()
        iterations, updates = self.replica.model.optimizer.iterations, self.weights.updates
        iterations.assign(position.epoch * run.order.steps_per_epoch + position.step)
        snapshot = take_snapshot(self.replica.model, facts)
        iterations.assign(updates)
        assert snapshot is not None
        path = self.plan.run_dir / FOLDER / checkpoint_name(position.epoch, position.step)
        write_checkpoint(path, snapshot)
        return path

    def finish(self) -> None:
        """Write the final model."""
        self.log.close()
        self.weights.finish()
        self.replica.model.save(self.plan.run_dir / "model.keras")


def train_pretended(plan: Plan, workers: int, *, seed: int = 0) -> PretendedRun:
    """Train a whole run."""
    run = PretendedRun(plan, workers, seed=seed).start()
    for epoch in range(plan.epochs):
        run.epoch(epoch)
    run.finish()
    return run
