"""Decisions of all ranks together, about every half second: stop, save a checkpoint, the number of steps in a block.

If one rank decided alone, the others would wait forever in their next reduction.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass

import numpy as np

import ddl.distributed as dist
from ddl.training.run import Run
from ddl.training.steps.blocks import block_size
from ddl.training.stop_request import StopRequest, signal_name

AGREE_EVERY_S = 0.5
"""Seconds between two decisions. One takes two small reductions, under a millisecond."""


@dataclass(frozen=True)
class Decision:
    """The ranks' decision, equal on all of them."""

    stop: str | None = None  # the reason to stop now
    save: bool = False
    end: bool = False  # a callback ends the run, which counts as complete

    def __bool__(self) -> bool:
        return bool(self.stop or self.save or self.end)


class Consensus:
    """Counts the steps since the last decision, and reaches the next one with all ranks. Every rank has one."""

    def __init__(self, run: Run, stop: StopRequest, *, every_step: bool = False) -> None:
        """Start the clocks. With `every_step`, steps are taken one by one, with a decision after each."""
        self.block_size = 1 if every_step else run.plan.steps_per_execution or 1  # steps a call
        self._run, self._stop, self._every_step = run, stop, every_step
        self._count = 0  # steps since the last decision
        self._interval = 1  # steps between two decisions
        self._agreed_at = self._saved_at = time.monotonic()

    def begin_epoch(self) -> None:
        """Restart the count, so that time between epochs is not counted as steps."""
        self._count, self._agreed_at = 0, time.monotonic()

    def saved(self) -> None:
        """Restart the clock of checkpoints within an epoch."""
        self._saved_at = time.monotonic()

    def is_due(self, count: int) -> bool:
        """Count `count` more steps, and return whether a decision is due. The same on all ranks."""
        self._count += count
        return not count or self._count >= self._interval

    def reach(
        self, *, first_step_s: float | None = None, wants_end: bool = False, stop: str = ""
    ) -> Decision:
        """Return the decision of all ranks. All ranks must call it.

        Args:
            first_step_s: seconds of the run's first step, if only training steps were taken since the last decision.
                The block size is then chosen anew.
            wants_end: whether a callback of this rank ends the run.
            stop: why the run cannot go on, the same on all ranks.
        """
        now, plan = time.monotonic(), self._run.plan
        step_s = (now - self._agreed_at) / max(1, self._count)
        interval = min(self._interval * 4, max(1, math.floor(AGREE_EVERY_S / max(step_s, 1e-6))))
        late = 0 < plan.time_limit_min * 60 <= self._stop.seconds
        due = 0 < plan.checkpoint_every_min * 60 <= now - self._saved_at
        size = self.block_size if first_step_s is None else self._block_size(step_s, first_step_s)
        # One clock for all: rank 0's.
        by_clock = [late, due, interval, size] if dist.is_root() else [0, 0, 0, 0]
        votes = np.array([self._stop.signal, wants_end, *by_clock], np.int64)
        signal, end, late, due, interval, size = dist.allreduce(votes, "max").tolist()
        self.block_size, self._interval = size, 1 if self._every_step else interval
        self._count, self._agreed_at = 0, now
        limit = f"time_limit_min={plan.time_limit_min:g}" if late else stop or None
        return Decision(signal_name(signal) if signal else limit, bool(due), bool(end))

    def _block_size(self, step_s: float, first_step_s: float) -> int:
        """Return how many steps to take in one call, by this rank's clock."""
        run = self._run
        if self._every_step:
            return 1
        if run.plan.steps_per_execution:
            return run.plan.steps_per_execution
        done = run.position.epoch * run.steps_per_epoch + run.position.step
        left = run.plan.epochs * run.steps_per_epoch - done
        return block_size(step_s, left, first_step_s if self.block_size == 1 else 0.0)
