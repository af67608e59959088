"""Evaluation sample by sample on any backend: loss and metrics of each sample and of all samples together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

import ddl.distributed as dist
from ddl.data.sharding import shard_bounds
from ddl.data.source import Source
from ddl.distributed.job.quiet import loading_tensorflow
from ddl.distributed.on_ranks import on_all, on_root
from ddl.distributed.state.reduced_metrics import reduced_values
from ddl.files import write_whole
from ddl.inference.backends.predictor import Predictor, open_predictor
from ddl.inference.inspection.inspection import Inspection, confusion_text, per_picture_text
from ddl.inference.tiles.segmenter import Segmenter
from ddl.inference.trained_model import TrainedModel
from ddl.training.data.compatibility import check_agreement
from ddl.training.data.training_data import as_samples
from ddl.training.evaluation import Subject
from ddl.training.objectives.losses import build_loss
from ddl.training.objectives.metrics import build_metric
from ddl.training.record.picture_sheet import draw_classification, draw_segmentation, mean_dice
from ddl.training.steps.supervised import BadData

_MATRIX = "confusion_matrix"


def inspect(inspection: Inspection, subject: Subject, model: TrainedModel) -> dict[str, Any]:
    """Return loss and metrics over all samples, and write the requested tables and pictures.

    All ranks must call it, after `init`.

    Returns:
        name -> number; for "confusion_matrix", rows of counts.

    Raises:
        ValueError: the model cannot be loaded or does not accept the samples; raised on all ranks.
        BadData: a sample cannot be read; raised only on the rank that read it.
    """
    inspector = on_all(lambda: _Inspector(inspection, subject, model))
    results = inspector.measure()
    if dist.is_root():
        inspector.write()
    on_root(lambda: None)  # a barrier: the other ranks wait while rank 0 writes
    return results


class _Inspector:
    """Evaluates one rank's share of the samples."""

    def __init__(self, inspection: Inspection, subject: Subject, model: TrainedModel) -> None:
        plan = subject.plan
        self._inspection, self._subject, self._how = inspection, subject, model.preprocessing
        with loading_tensorflow():
            self._predictor: Predictor = open_predictor(
                model.file, backend=inspection.backend, precision=inspection.inference_precision
            )
        classes = self._predictor.classes
        self._samples: Source = as_samples(subject.source, plan, classes)
        names = list(inspection.metric or plan.metric)
        check_agreement(plan, names, self._predictor.input_shape, classes)
        if inspection.confusion is not None and _MATRIX not in names:
            names.append(_MATRIX)
        self._segmenter = Segmenter(self._predictor, self._how, inspection.cut)
        options = plan.metric_option
        self._all, self._one = (
            {name: build_metric(name, **options.get(name, {})) for name in names} for _ in range(2)
        )
        self._loss = (
            None if plan.loss == "batch_dice" else build_loss(plan.loss, **plan.loss_option)
        )
        self._mean_loss = keras.metrics.Mean(name="loss")
        self._rows: list[dict[str, Any]] = []
        self._matrix: np.ndarray | None = None

    def measure(self) -> dict[str, Any]:
        """Evaluate this rank's samples, and return the results over all ranks. All ranks must call it."""
        start, end = shard_bounds(len(self._samples), dist.rank(), dist.size())
        size = self._inspection.per_rank_batch_size
        for first in range(start, end, size):
            indices = range(first, min(first + size, end))
            for index, truth, found in self._predicted(indices):
                self._rows.append(self._add_sample(index, truth, found))
        if start == end:
            self._create_metric_states()
        rows = [row for part in dist.allgather(self._rows) for row in part]
        self._rows = rows
        measured = {} if self._loss is None else {"loss": self._mean_loss}
        measured |= self._all
        results = {name: np.asarray(value) for name, value in _reduced(measured).items()}
        self._matrix = results.get(_MATRIX)
        named = {name: value.tolist() for name, value in results.items()}
        requested = (*(self._inspection.metric or self._subject.plan.metric), "loss")
        named = {name: value for name, value in named.items() if name in requested}
        measured_file = self._inspection.exported or self._subject.file
        return {"model": str(measured_file), "samples": len(rows), **named}

    def write(self) -> None:
        """Write the tables and the sheet. Only rank 0 calls it."""
        inspection = self._inspection
        if inspection.per_picture is not None:
            hidden = ("_badness",)
            shown = [{k: v for k, v in row.items() if k not in hidden} for row in self._rows]
            _write_text(inspection.per_picture, per_picture_text(shown))
        if inspection.confusion is not None and self._matrix is not None:
            aligned = inspection.confusion.suffix == ".txt"
            classes = range(len(self._matrix))
            named = len(self._how.class_names) == len(classes)
            names = [self._how.name_of(c) if named else str(c) for c in classes]
            _write_text(inspection.confusion, confusion_text(self._matrix, names, aligned=aligned))
        if inspection.worst:
            worst = sorted(self._rows, key=lambda row: (-row["_badness"], row["index"]))
            self._draw([row["index"] for row in worst[: inspection.worst]])

    def _predicted(self, indices: Sequence[int]) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
        """Yield each sample's index, ground truth and probabilities."""
        try:
            pictures, truths = self._samples.read(indices).values()
        except (ValueError, OSError) as error:
            raise BadData(str(error)) from error
        yield from zip(indices, truths, self._probabilities(pictures), strict=True)

    def _probabilities(self, pictures: np.ndarray) -> list[np.ndarray]:
        if self._how.target == "label":
            return list(self._predictor.predict(pictures))
        passages = [self._segmenter.begin(picture, is_file=False) for picture in pictures]
        if passages[0].is_single:
            found = self._predictor.predict(np.stack([passage.tile for passage in passages]))
            bands = [passage.finish(one) for passage, one in zip(passages, found, strict=True)]
        else:
            size = self._inspection.per_rank_batch_size
            bands = [passage.bands(self._predictor, size) for passage in passages]
        return [np.concatenate([band for _, band in several]) for several in bands]

    def _create_metric_states(self) -> None:
        """Create the metrics' variables on a rank without samples.

        Metrics create them at their first update, and all ranks must reduce the same variables. Sample 0 with weight 0
        creates them and counts nothing.
        """
        for _, truth, found in self._predicted([0]):
            for metric in self._all.values():
                metric.update_state(truth[None], found[None], sample_weight=np.zeros(1, np.float32))

    def _add_sample(self, index: int, truth: np.ndarray, found: np.ndarray) -> dict[str, Any]:
        """Add a sample to the metrics, and return its row of the table."""
        row: dict[str, Any] = {"index": index, "name": self._subject.source.name_of(index)}
        true, seen = truth[None], found[None]
        if self._loss is not None:
            self._mean_loss.update_state(self._loss(true, seen))
        for name, metric in self._all.items():
            metric.update_state(true, seen)
            if name != _MATRIX:
                self._one[name].reset_state()
                self._one[name].update_state(true, seen)
                row[name] = round(float(self._one[name].result()), 6)
        if self._how.target == "label":
            every = np.concatenate([1 - found, found]) if len(found) == 1 else found
            chance = float(every[int(truth)])
            row |= {"true": int(truth), "found": int(every.argmax()), "p_true": round(chance, 6)}
            row["_badness"] = -chance
        else:
            row.setdefault("dice", round(mean_dice(truth[..., 0], found), 6))
            row["_badness"] = -row["dice"]
        return row

    def _draw(self, indices: list[int]) -> None:
        """Draw these samples, which are predicted once more. Only rank 0 calls it."""
        read = [list(self._samples.read([index]).values()) for index in indices]
        pictures, truths = [one[0][0] for one in read], [one[1][0] for one in read]
        found = [self._probabilities(picture[None])[0] for picture in pictures]
        path = self._inspection.worst_sheet
        if self._how.target == "label":
            names = self._how.class_names or None
            labels = [int(truth) for truth in truths]
            draw_classification(pictures, labels, np.stack(found), path, names)
        else:
            titles = [self._subject.source.name_of(index) for index in indices]
            draw_segmentation(pictures, truths, found, path, titles)


def _reduced(metrics: dict[str, Any]) -> dict[str, Any]:
    """Return the metrics' results over the samples of all ranks. All ranks must call it."""
    variables = [variable for metric in metrics.values() for variable in metric.variables]
    for variable, value in zip(variables, reduced_values(variables), strict=True):
        variable.assign(value)
    return {name: metric.result() for name, metric in metrics.items()}


def _write_text(path: Path, text: str) -> None:
    write_whole(path, lambda partial: partial.write_text(text, encoding="utf-8"))
