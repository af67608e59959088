"""Shows the progress of a run: a bar on a terminal, lines in a log. Only rank 0 shows it. No Keras here."""

from __future__ import annotations

import logging
import sys
import time
from collections import deque
from collections.abc import Callable, Mapping
from statistics import median
from typing import Any, TextIO

from ddl.distributed.job.launcher import placement
from ddl.progress import StatusLine, draw_bar, duration

_BAR_WIDTHS = (10, 30)
_NOTE_EVERY_S = 0.5
_NOTES = 60  # so the rate covers the last half minute, or longer if steps are long
_RECENT_EPOCHS = 5

logger = logging.getLogger("ddl")

_NOT_SHOWN = ("epoch", "seconds", "samples_per_s", "learning_rate")
"""Values of an epoch that its line says otherwise, or not."""


class TrainingProgress:
    """Shows epoch, samples done of all, losses and metrics, samples per second over all ranks, and the time left.

    On a terminal one line is redrawn, at most five times a second. In a log, and under a launcher (whose prefixes
    would break a bar), a line is written at most every `every_s` seconds. Each epoch leaves a line in both.
    """

    def __init__(
        self,
        epochs: int,
        samples: int,
        global_batch_size: int,
        *,
        stream: TextIO | None = None,
        every_s: float = 10.0,
        bar: bool | None = None,
        log: Callable[[str], object] | None = None,
    ) -> None:
        """Set up the display; nothing is shown yet.

        Args:
            epochs: epochs of the whole run, including those before a resume.
            samples: samples per epoch, over all ranks.
            global_batch_size: samples per step, over all ranks.
            stream: standard output by default.
            every_s: minimum seconds between two lines in a log.
            bar: whether a line is redrawn in place. None: only on a terminal without a launcher. Under mpirun a rank's
                standard output looks like a terminal even if it is written to a file.
            log: also called with the line of each epoch (`RunLog.write_line`).
        """
        if bar is None and placement().launcher is not None:
            bar = False
        self._line = StatusLine(stream or sys.stdout, log_every_s=every_s, redraws=bar)
        self._epochs, self._samples, self._batch_size = epochs, samples, global_batch_size
        self._log = log
        self._pace = _Pace()
        self._epoch = self._steps = self._first_step = self._done = 0
        self._begin_s = self._step_s = time.monotonic()
        self._room_maker = _ClearLine(self._line)

    def begin_epoch(self, epoch: int, steps: int, first_step: int = 0) -> None:
        """Start `epoch` (counted from 0) of `steps` steps. A resumed run skips the first `first_step`."""
        self._epoch, self._steps = epoch, steps
        self._first_step = self._done = first_step
        self._begin_s = self._step_s = time.monotonic()
        self._pace.begin_epoch(first_step)
        if self._line.redraws and logger.hasHandlers():
            logger.handlers.insert(0, self._room_maker)

    def step(self, done: int, logs: Mapping[str, Any]) -> None:
        """Report that `done` steps of the epoch are done. Values of `logs` are read only if they are shown."""
        self._done, self._step_s = done, time.monotonic()
        self._pace.step(done, self._step_s)
        if self._line.is_due():
            self._line.show(self._text(_numbers(logs)))

    def validate(self, step: int, steps: int) -> None:
        """Report that `step` of `steps` validation steps are done."""
        if self._line.is_due():
            self._line.show(f"{self._title}  validation {step}/{steps}")

    def predict(self, turn: int) -> None:
        """Report that so many turns of predictions after a validation are done."""
        if self._line.is_due():
            self._line.show(f"{self._title}  predictions {turn}")

    def test(self, step: int, steps: int, when: str) -> None:
        """Report that `step` of `steps` steps of a test `when` ("before training") are done."""
        if self._line.is_due():
            self._line.show(f"test data {when}  {step}/{steps}")
        if step == steps:
            self._line.clear()

    def end_epoch(self, epoch: Mapping[str, Any]) -> None:
        """Write a line with the losses and metrics of an epoch of the history, including validation."""
        now_s = time.monotonic()
        self._pace.end_epoch(now_s, whole=self._first_step == 0)
        logs = {name: value for name, value in epoch.items() if name not in _NOT_SHOWN}
        numbers = [f"{name} {value}" for name, value in _numbers(logs).items()]
        trained_s = self._step_s - self._begin_s
        if trained_s > 0:
            end = min(self._done * self._batch_size, self._samples)  # the last step may be short
            trained = max(end - self._first_step * self._batch_size, 0)
            numbers.append(f"{trained / trained_s:.1f} samples/s")
        numbers.append(f"{now_s - self._begin_s:.1f} s")
        if self._epoch + 1 < self._epochs:
            numbers.append(f"({duration(self._left_s()[1])} left)")
        text = "  ".join([self._title, *numbers])
        self._line.finish(text)
        logger.removeHandler(self._room_maker)
        if self._log is not None:
            self._log(text)

    def close(self) -> None:
        """End an unfinished line. Closing twice is allowed."""
        self._line.close()
        logger.removeHandler(self._room_maker)

    @property
    def _title(self) -> str:
        return f"epoch {self._epoch + 1}/{self._epochs}"

    def _left_s(self) -> tuple[float, float]:
        """Return the seconds left for this epoch's steps and for the whole run."""
        left = self._steps - self._done
        epochs_left = self._epochs - self._epoch - 1
        return left * self._pace.step_s, self._pace.left_s(left, epochs_left, self._steps)

    def _text(self, numbers: Mapping[str, str]) -> str:
        """Return the line shown during an epoch, fitted to the terminal if it is redrawn."""
        samples = min(self._steps * self._batch_size, self._samples)
        done = min(self._done * self._batch_size, samples)
        count = f"{done:{len(str(samples))}}/{samples}"  # constant width
        shown = [f"{name} {value}" for name, value in numbers.items()]
        rate = left = whole = ""
        if self._pace.step_s > 0:
            rate = f"{self._batch_size / self._pace.step_s:.1f} samples/s"
            left_s, whole_s = self._left_s()
            left = f"{duration(left_s)} left"
            whole = f"(whole run {duration(whole_s)})" if self._epoch + 1 < self._epochs else ""
        tail = [rate, f"{left} {whole}".strip()]
        if not self._line.redraws:
            return _joined([self._title, count.strip(), *shown, *tail])
        # A narrow window drops parts in this order: metrics after the loss, the whole run, the rate, the loss.
        shorter = [shown[:n] for n in range(len(shown), 0, -1)]
        choices = [(some, tail) for some in shorter] or [([], tail)]
        least = shorter[-1] if shorter else []
        choices += [(least, [rate, left]), (least, [left]), ([], [left]), ([], [])]
        narrow, wide = _BAR_WIDTHS
        for some, rest in choices:
            texts = [self._title, "", *some, *rest]
            room = self._line.width - len(_joined([f"{self._title} {count}", *some, *rest])) - 3
            if room >= narrow:
                texts[0] += f" {draw_bar(self._done, self._steps, min(room, wide))} {count}"
                return _joined(texts)
        return f"{self._title} {count}"[: self._line.width]


class _Pace:
    """Recent durations of steps and epochs: medians, so that tracing or a pause has little effect."""

    def __init__(self) -> None:
        self.step_s = 0.0
        self._notes: deque[float] = deque(maxlen=_NOTES)
        self._epochs_s: deque[float] = deque(maxlen=_RECENT_EPOCHS + 1)
        self._epoch_begin_s = time.monotonic()
        self._noted = self._last = (self._epoch_begin_s, 0)

    def begin_epoch(self, first_step: int) -> None:
        """Start timing steps here, so that time between epochs is not counted."""
        self._noted = self._last = (time.monotonic(), first_step)

    def step(self, done: int, now_s: float) -> None:
        """Record the mean duration of the steps since the last record, every half second at most."""
        self._last = (now_s, done)
        if now_s - self._noted[0] >= _NOTE_EVERY_S or not self._notes:
            self._note()

    def end_epoch(self, now_s: float, *, whole: bool) -> None:
        """Record the duration of an epoch including validation, unless it was resumed in the middle."""
        self._note()
        if whole:
            self._epochs_s.append(now_s - self._epoch_begin_s)
        self._epoch_begin_s = now_s

    def left_s(self, steps_left: int, epochs_left: int, steps: int) -> float:
        """Return the seconds left of the run: this epoch's steps, its validation, and later epochs."""
        epochs_s = list(self._epochs_s)
        # The run's first epoch includes tracing.
        epoch_s = median(epochs_s[1:] or epochs_s or [steps * self.step_s])
        pauses_s = max(epoch_s - steps * self.step_s, 0.0) if steps_left else 0.0
        return steps_left * self.step_s + pauses_s + epochs_left * epoch_s

    def _note(self) -> None:
        steps = self._last[1] - self._noted[1]
        if steps < 1:
            return
        self._notes.append((self._last[0] - self._noted[0]) / steps)
        self._noted = self._last
        # The first record includes tracing the model, which happens once.
        self.step_s = median(list(self._notes)[1:] or self._notes)


class _ClearLine(logging.Handler):
    """Clears the redrawn line before a log message is printed. It is the first of the handlers."""

    def __init__(self, line: StatusLine) -> None:
        super().__init__()
        self._line = line

    def emit(self, record: logging.LogRecord) -> None:
        """Clear the line; other handlers print `record`."""
        self._line.clear()


def _numbers(logs: Mapping[str, Any]) -> dict[str, str]:
    """Return the scalar values as text. Others, such as a confusion matrix, are left out."""
    numbers = {}
    for name, value in logs.items():
        try:
            number = float(value)
        except (TypeError, ValueError):
            continue
        plain = number == 0 or 1e-3 <= abs(number) < 1e5
        numbers[name] = f"{number:.4f}" if plain else f"{number:.3g}"
    return numbers


def _joined(texts: list[str]) -> str:
    return "  ".join(text for text in texts if text)
