"""Samples per second over all ranks: of all training steps, and of the last half of each epoch.

The last half leaves out what comes once, such as tracing, and what comes at the start of each epoch. No Keras here.
"""

from __future__ import annotations

import time
from collections.abc import Callable


class Rates:
    """Adds up samples and seconds of training steps. Validation, checkpoints after it and other pauses do not count."""

    def __init__(
        self, samples: int, global_batch_size: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Start without steps.

        Args:
            samples: samples per epoch, over all ranks.
            global_batch_size: samples per step, over all ranks; the last step may have fewer.
            clock: returns seconds.
        """
        self._samples, self._batch_size, self._clock = samples, global_batch_size, clock
        self._all = self._half = self._epoch = (0, 0.0)  # samples and seconds
        self._begun = self._middle = (0, 0.0)  # steps done in this epoch, and when
        self._steps = self._done = 0

    def begin_epoch(self, steps: int, first_step: int = 0) -> None:
        """Start the clock of an epoch of `steps` steps. A resumed run skips the first `first_step`."""
        self._steps, self._done = steps, first_step
        self._begun = self._middle = (first_step, self._clock())

    def step(self, done: int) -> None:
        """Record that `done` steps of the epoch are done."""
        is_first_half = 2 * self._done < self._steps
        self._done = done
        if is_first_half and self._steps <= 2 * done < 2 * self._steps:
            self._middle = (done, self._clock())

    def end_steps(self) -> None:
        """Stop the clock after the epoch's last step. An epoch whose steps are one block is its own last half."""
        now_s = self._clock()
        self._epoch = self._added((0, 0.0), self._begun, now_s)
        self._all = self._added(self._all, self._begun, now_s)
        self._half = self._added(self._half, self._middle, now_s)

    @property
    def overall(self) -> float:
        """Samples per second of all steps; 0 without steps."""
        return _rate(self._all)

    @property
    def epoch(self) -> float:
        """Samples per second of the last epoch's steps that were taken here; 0 without steps."""
        return _rate(self._epoch)

    @property
    def last_half(self) -> float:
        """Samples per second of the last halves of all epochs; 0 without steps."""
        return _rate(self._half)

    def _added(
        self, sums: tuple[int, float], since: tuple[int, float], now_s: float
    ) -> tuple[int, float]:
        step, begin_s = since
        end = min(self._done * self._batch_size, self._samples)
        return sums[0] + max(end - step * self._batch_size, 0), sums[1] + now_s - begin_s


def _rate(sums: tuple[int, float]) -> float:
    samples, seconds = sums
    return samples / seconds if seconds > 0 else 0.0
