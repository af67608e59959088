"""Supervised steps that look into the layers at the end of each epoch, and train bit for bit what others do."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from typing import Any

import keras
import numpy as np

import ddl.distributed as dist
from ddl.data.batches.batch_reader import BatchReader
from ddl.data.batches.pipeline import Batches
from ddl.training.data.training_data import TrainingData
from ddl.training.objectives.losses import needs_input
from ddl.training.probing.measurement import Measurement
from ddl.training.probing.picture import NAME as PICTURE
from ddl.training.probing.picture import draw_probe
from ddl.training.probing.probe_file import ProbeFile, read_probe
from ddl.training.probing.samples import probe_samples
from ddl.training.profiling.profile import Profile
from ddl.training.record.run_dir import spare_training
from ddl.training.run import Run
from ddl.training.steps.bad_data import naming_bad_data
from ddl.training.steps.run_batches import data_threads, samples_at_once
from ddl.training.steps.step import Taken
from ddl.training.steps.supervised import SupervisedSteps
from ddl.training.steps.weighed_batches import for_outputs

DRAW_EVERY_S = 60.0


class ProbedSteps(SupervisedSteps):
    """Takes the steps of `SupervisedSteps`, the last one of an epoch alone, and then measures the layers.

    Gradients and activations are those of the same samples in each epoch. The update is that of the epoch's last step,
    or of its last steps where an optimizer accumulates gradients over several.
    """

    def __init__(
        self, model: keras.Model, run: Run, data: TrainingData, profile: Profile | None = None
    ) -> None:
        """Prepare training. `check_probed` must have accepted the model."""
        super().__init__(model, run, data, profile)
        samples = data.training
        self._samples = probe_samples(
            run.plan.probe,
            len(samples),
            samples_at_once(run),
            dist.size(),
            run.plan.seed,
            own_blocks=run.order.kind == "contiguous",
        )
        self._before: Sequence[Any] | None = None  # the weights before the last update of the epoch
        self._changes: list[float] | None = None
        self._file: ProbeFile | None = None  # on rank 0
        self._drawn_at = time.monotonic()

    def __enter__(self) -> ProbedSteps:
        super().__enter__()
        batches = self._probe_batches()
        self._open.enter_context(naming_bad_data(batches))
        self._open.enter_context(batches)
        self._probed = for_outputs(
            self.model,
            batches.dataset,
            self._run.class_weights,
            needs_input=needs_input(self._run.plan.loss),
        )
        self._measurement = Measurement(self.model, self._probed.element_spec)
        if dist.is_root():
            with spare_training("the probe"):
                self._file = ProbeFile(self._run.plan.run_dir, len(self._run.history))
            self._open.callback(self._draw)
        return self

    def begin_epoch(self) -> None:
        super().begin_epoch()
        self._before = self._changes = None

    def take(self, most: int) -> Taken:
        left = self._run.steps_per_epoch - self._run.position.step
        together = self._steps_of_an_update()
        if left > together:
            return super().take(min(most, left - together))
        if left == together:
            self._before = self._measurement.weights()
        taken = super().take(1)
        if left == 1 and self._before is not None:
            self._changes = self._measurement.updates(self._before)
            self._before = None
        return taken

    def end_epoch(self) -> None:
        super().end_epoch()
        begin = time.perf_counter()
        row = self.probe()
        if self._file is not None:
            self._file.append({**row, "seconds": round(time.perf_counter() - begin, 4)})
            if time.monotonic() - self._drawn_at > DRAW_EVERY_S:
                self._draw()

    def probe(self) -> dict[str, Any]:
        """Return the facts of each layer now, equal on all ranks. All ranks must call it."""
        layers = self._measurement.take(iter(self._probed), self._samples.passes)
        self._measurement.with_updates(layers, self._changes)
        norms = [layer["gradient_norm"] for layer in layers if layer["gradient_norm"] is not None]
        return {
            "epoch": self._run.position.epoch + 1,
            "samples": self._samples.total,
            "learning_rate": self.learning_rate,
            "gradient_norm": math.hypot(*norms),
            "layers": layers,
        }

    def _probe_batches(self) -> Batches:
        plan = self._run.plan
        reader = BatchReader(
            self._data.training,
            plan.augmentation(),
            plan.seed,
            plan.ignore_index,
            self._run.preprocessing.normalization,
            trains=True,
        )

        def steps() -> Iterator[tuple[int, int, np.ndarray]]:
            for number, indices in enumerate(self._samples.of(dist.rank())):
                yield 0, number, indices

        return Batches(reader, steps, data_threads(self._run), self._samples.passes)

    def _steps_of_an_update(self) -> int:
        optimizer = self.model.optimizer
        inner = getattr(optimizer, "inner_optimizer", optimizer)
        steps = int(getattr(inner, "gradient_accumulation_steps", None) or 1)
        return min(steps, self._run.steps_per_epoch)

    def _draw(self) -> None:
        run_dir = self._run.plan.run_dir
        with spare_training("the probe's picture"):
            rows = read_probe(run_dir)
            if rows:
                draw_probe(rows, run_dir / PICTURE)
        self._drawn_at = time.monotonic()
