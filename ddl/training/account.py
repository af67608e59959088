"""Rank 0's account of a run, on the screen and in its folder: plan, facts, history, curves, pictures, log, model."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Sequence

import keras
import numpy as np

from ddl.data.preprocessing import NAME as PREPROCESSING
from ddl.data.reader import BatchReader
from ddl.files import write_whole
from ddl.training.checkpoints import best_epochs
from ddl.training.curves import draw_curves
from ddl.training.data import TrainingData
from ddl.training.events import EventWriter
from ddl.training.facts import append_start, gather_facts
from ddl.training.history import History, write_history
from ddl.training.picture_sheet import draw_classification, draw_segmentation
from ddl.training.progress import TrainingProgress
from ddl.training.run import Epoch, Run, Unsaved
from ddl.training.run_dir import EarlyLines, claim_run_dir, open_log, spare_training

DRAW_EVERY_S = 60.0
SHOWN_SAMPLES = 8


@contextlib.contextmanager
def claim(run: Run, hosts: Sequence[str]) -> Iterator[None]:
    """Hold the run's folder, after writing what the run is started with. Rank 0 alone calls it.

    Args:
        run: that begins or goes on.
        hosts: the name of each rank's host.

    Raises:
        ValueError: the folder holds another run, is written by another job, or cannot be written.
    """
    with claim_run_dir(run.plan.run_dir, resume=run.plan.resume is not None):
        _write_start(run, hosts)
        yield


def _write_start(run: Run, hosts: Sequence[str]) -> None:
    plan, folder = run.plan, run.plan.run_dir
    try:
        write_whole(folder / "plan.json", lambda path: path.write_text(plan.to_json(), "utf-8"))
        preprocessing = run.preprocessing.to_json()
        write_whole(folder / PREPROCESSING, lambda path: path.write_text(preprocessing, "utf-8"))
        append_start(folder, gather_facts(hosts))
        write_history(folder, run.history)
    except OSError as error:
        raise ValueError(
            f"Received: run_dir={folder}, which cannot be written ({error.strerror or error}). Expected: a folder "
            "that you may write, with room for checkpoints."
        ) from error


class Account:
    """Writes a run down while it goes. Rank 0 alone has one."""

    def __init__(self, run: Run, data: TrainingData, early: EarlyLines) -> None:
        """Get ready; the folder is claimed already.

        Args:
            run: that it tells of.
            data: of which it shows samples.
            early: what was logged before.
        """
        self._early = early
        self._run, self._data = run, data
        self._folder = run.plan.run_dir
        self._drawn = time.monotonic()
        self._open = contextlib.ExitStack()

    def __enter__(self) -> Account:
        """Open log, progress and events."""
        run, plan, folder = self._run, self._run.plan, self._folder
        self._history = History(folder, run.history)
        self.log = self._open.enter_context(open_log(folder))
        self._early.hand_over(self.log)
        self.progress = self._open.enter_context(
            contextlib.closing(
                TrainingProgress(
                    plan.epochs,
                    run.order.count,
                    run.order.global_batch_size,
                    every_s=plan.log_every_s,
                    log=self.log.write_line,
                )
            )
        )
        self._events: EventWriter | None = None
        if plan.tensorboard:
            with spare_training("TensorBoard's events"):
                self._events = EventWriter(folder / "events", len(run.history) + 1)
                self._open.callback(self._close_events, self._events)
        return self

    def __exit__(self, *_: object) -> None:
        """Close log, events and progress."""
        self._open.close()

    def end_epoch(self, epoch: Epoch, model: keras.Model) -> None:
        """Write an epoch down; draw curves and pictures from time to time."""
        with spare_training("the history"):
            self._history.append(epoch)
        numbers = {k: v for k, v in epoch.items() if k not in ("epoch", "seconds", "learning_rate")}
        self.progress.end_epoch(numbers)
        if self._events is not None:
            with spare_training("TensorBoard's events"):
                self._events.write_epoch(epoch)
        if time.monotonic() - self._drawn > DRAW_EVERY_S:
            self._draw(model)

    def finish(self, model: keras.Model) -> None:
        """Write the final model, without optimizer, and draw for the last time.

        Raises:
            Unsaved: a disk would not take the model.
        """
        final = keras.Model(model.input, model.outputs[0], name=model.name)
        path = self._folder / "model.keras"
        try:
            write_whole(path, lambda partial: final.save(partial))
        except OSError as error:
            raise Unsaved(
                f"{path} cannot be written ({error.strerror or error}). The training itself is done: make room, and "
                "--resume auto writes the model."
            ) from error
        self._draw(model)

    @staticmethod
    def _close_events(events: EventWriter) -> None:
        with spare_training("TensorBoard's events"):
            events.close()

    def _draw(self, model: keras.Model) -> None:
        epochs = self._run.history
        with spare_training("curves and pictures"):
            plan = self._run.plan
            numbers = [epoch["epoch"] for epoch in epochs]
            best = best_epochs(numbers, epochs, plan.monitor, plan.mode)
            path = self._folder / "curves.png"
            draw_curves(epochs, path, best_epoch=best[0] if best else None)
            self._draw_samples(model)
            if self._events is not None and epochs:
                self._events.write_picture("samples", self._folder / "samples.png", len(epochs))
        self._drawn = time.monotonic()

    def _draw_samples(self, model: keras.Model) -> None:
        """Draw the first validation samples with what the model finds in them.

        It computes one at a time: a model whose training step just fits the memory must not fail here, and Keras keeps
        every layer's output while it calls a model.
        """
        samples = self._data.validation
        indices = np.arange(min(SHOWN_SAMPLES, len(samples)))
        inputs, targets = BatchReader(samples)(0, indices)
        probabilities = np.stack([_probabilities(model, one) for one in inputs])
        path = self._folder / "samples.png"
        if self._run.plan.target == "mask":
            draw_segmentation(inputs, targets, probabilities, path)
        else:
            draw_classification(
                inputs, targets, probabilities, path, class_names=samples.class_names or None
            )


def _probabilities(model: keras.Model, sample: np.ndarray) -> np.ndarray:
    """Return what the model's first output finds in a sample."""
    found = model(sample[None], training=False)
    if isinstance(found, dict | list):
        found = next(iter(found.values())) if isinstance(found, dict) else found[0]
    probabilities: np.ndarray = np.asarray(keras.ops.convert_to_numpy(found), np.float32)[0]
    return probabilities
