"""Evaluation sample by sample on any backend: loss and metrics of each sample and of all samples together."""

from __future__ import annotations

import dataclasses
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
from ddl.inference.backends.normalized import normalizing
from ddl.inference.backends.predictor import open_predictor
from ddl.inference.inspection.groups import grouped, looks, read_table, values_of
from ddl.inference.inspection.inspection import Inspection, confusion_text, per_picture_text
from ddl.inference.inspection.occlusion import Patches, dealt, heat_map, occluded, patches_of
from ddl.inference.prediction.decision import every_class
from ddl.inference.tiles.segmenter import Segmenter
from ddl.inference.trained_model import TrainedModel
from ddl.training.data.compatibility import check_agreement
from ddl.training.data.training_data import as_samples
from ddl.training.evaluation import Subject
from ddl.training.objectives.losses import LOSSES, loss_of_probabilities
from ddl.training.objectives.metrics import build_metric
from ddl.training.record.figure import shortened
from ddl.training.record.picture_sheet import draw_classification, draw_segmentation, mean_dice
from ddl.training.record.sheets.heat_sheet import Heat, draw_heat
from ddl.training.record.sheets.value_sheet import draw_values
from ddl.training.steps.bad_data import BadData

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
    results = inspector.measure() | inspector.groups() | inspector.occlusion()
    if dist.is_root():
        inspector.write()
    on_root(lambda: None)  # a barrier: the other ranks wait while rank 0 writes
    return results


class _Inspector:
    """Evaluates one rank's share of the samples."""

    def __init__(self, inspection: Inspection, subject: Subject, model: TrainedModel) -> None:
        plan = subject.plan
        self._inspection, self._subject = inspection, subject
        with loading_tensorflow():
            predictor = open_predictor(
                model.file, backend=inspection.backend, precision=inspection.inference_precision
            )
        # The samples have been through the plan's transforms.
        how = model.preprocessing
        self._how = dataclasses.replace(how, transforms=(), channels=how.model_channels)
        self._predictor = normalizing(predictor, self._how)
        classes = self._predictor.classes
        self._samples: Source = as_samples(subject.source, plan, classes)
        names = list(inspection.metrics_for(plan))
        check_agreement(plan, names, self._predictor.input_shape, classes)
        if inspection.confusion is not None and _MATRIX not in names:
            names.append(_MATRIX)
        self._segmenter = Segmenter(self._predictor.input_shape, self._how, inspection.cut)
        self._all, self._single = (
            {name: build_metric(name, **plan.options_of_metric(name)) for name in names}
            for _ in range(2)
        )
        has_loss = plan.loss in LOSSES and plan.loss != "batch_dice"
        self._loss = loss_of_probabilities(plan.loss, **plan.loss_option) if has_loss else None
        self._mean_loss = keras.metrics.Mean(name="loss")
        self._rows: list[dict[str, Any]] = []
        self._matrix: np.ndarray | None = None

    def measure(self) -> dict[str, Any]:
        """Evaluate this rank's samples, and return the results over all ranks. All ranks must call it."""
        start, end = shard_bounds(len(self._samples), dist.rank(), dist.size())
        size = self._inspection.per_rank_batch_size
        for first in range(start, end, size):
            indices = range(first, min(first + size, end))
            for index, picture, truth, probabilities in self._predict(indices):
                row = self._add_sample(index, truth, probabilities)
                names = self._how.class_names
                ignored = self._subject.plan.ignore_index
                row["_looks"] = looks(picture, truth, self._how.target, names, ignored)
                self._rows.append(row)
        if start == end:
            self._create_metric_states()
        self._rows = [row for rows in dist.allgather(self._rows) for row in rows]
        measured = {} if self._loss is None else {"loss": self._mean_loss}
        results = _reduced(measured | self._all)
        self._matrix = results.get(_MATRIX)
        requested = (*self._inspection.metrics_for(self._subject.plan), "loss")
        values = {name: value.tolist() for name, value in results.items() if name in requested}
        file = self._inspection.exported or self._subject.file
        return {"model": str(file), "samples": len(self._rows), **values}

    def write(self) -> None:
        """Write the tables and the sheet. Only rank 0 calls it."""
        inspection = self._inspection
        if inspection.per_picture is not None:
            rows = [{k: v for k, v in row.items() if k[0] != "_"} for row in self._rows]
            _write_text(inspection.per_picture, per_picture_text(rows))
        if inspection.confusion is not None and self._matrix is not None:
            aligned = inspection.confusion.suffix == ".txt"
            names = self._how.class_names
            if len(names) != len(self._matrix):
                names = tuple(map(str, range(len(self._matrix))))
            _write_text(inspection.confusion, confusion_text(self._matrix, names, aligned=aligned))
        if inspection.worst:
            self._draw([row["index"] for row in self._worst(inspection.worst)])

    def groups(self) -> dict[str, Any]:
        """Return the means of the metrics for each group of samples, the same on all ranks.

        Raises:
            ValueError: on all ranks: the table names none of the samples, or there are too many groups.
        """
        inspection = self._inspection
        if not inspection.by:
            return {}
        table = None if inspection.by_table is None else read_table(inspection.by_table, ())
        names = [n for n in ("_loss", *inspection.metrics_for(self._subject.plan)) if n != _MATRIX]
        found = {
            column: grouped(values_of(column, self._rows, table), self._rows, names)
            for column in inspection.by
        }
        return {
            "by": {
                column: [{k.lstrip("_"): v for k, v in line.items()} for line in lines]
                for column, lines in found.items()
            }
        }

    def occlusion(self) -> dict[str, Any]:
        """Hide the worst samples part by part, and return what that does; rank 0 draws it. All ranks must call it."""
        heats, results = [], []
        for row in self._worst(self._inspection.occlusion):
            picture, truth = (part[0] for part in self._samples.read([row["index"]]).values())
            patches = patches_of(picture.shape, self._inspection.occlusion_patch or None)
            drops = self._drops(picture, truth, patches, row["_good"])
            box = patches.boxes()[int(drops.argmax())]
            at = [box[0].start, box[1].start]
            results.append(
                {
                    "index": row["index"],
                    "name": row["name"],
                    self._goodness: round(row["_good"], 6),
                    "patch": patches.side,
                    "largest_drop": round(float(drops.max()), 6),
                    "at": at,
                }
            )
            title = f"{shortened(row['name'], 30)}\n{self._goodness} {row['_good']:.3f}"
            outline = truth[..., 0] if self._how.target == "mask" else None
            heats.append(Heat(picture, heat_map(patches, drops), outline, title))
        if heats and dist.is_root():
            draw_heat(heats, self._inspection.occlusion_sheet, f"drop of {self._goodness}")
        return {"occlusion": results} if results else {}

    @property
    def _goodness(self) -> str:
        """What the worst samples have least of."""
        names = {"label": "p_true", "values": "minus the mean error"}
        return names.get(self._how.target, "dice")

    def _drops(
        self, picture: np.ndarray, truth: np.ndarray, patches: Patches, whole: float
    ) -> np.ndarray:
        """Return by how much the result becomes worse with each part hidden. All ranks must call it."""
        boxes, own = patches.boxes(), []
        for places in dealt(
            len(boxes), self._inspection.per_rank_batch_size, dist.rank(), dist.size()
        ):
            copies = occluded(picture, [boxes[place] for place in places])
            for place, probabilities in zip(places, self._probabilities(copies), strict=True):
                own.append((place, whole + self._badness(truth, probabilities)))
        pairs = [pair for rank in dist.allgather(own) for pair in rank]
        return np.array([drop for _, drop in sorted(pairs)])

    def _worst(self, count: int) -> list[dict[str, Any]]:
        return sorted(self._rows, key=lambda row: (-row["_badness"], row["index"]))[:count]

    def _badness(self, truth: np.ndarray, probabilities: np.ndarray) -> float:
        """Return how bad a prediction is, by what the worst samples are chosen by."""
        if self._how.target == "label":
            return -float(every_class(probabilities)[int(truth)])
        if self._how.target == "values":
            return float(np.abs(truth - probabilities).mean())
        return -self._dice(truth, probabilities)

    def _predict(
        self, indices: Sequence[int]
    ) -> Iterator[tuple[int, np.ndarray, np.ndarray, np.ndarray]]:
        """Yield each sample's index, picture, ground truth and probabilities."""
        try:
            pictures, truths = self._samples.read(indices).values()
        except (ValueError, OSError) as error:
            raise BadData(str(error)) from error
        yield from zip(indices, pictures, truths, self._probabilities(pictures), strict=True)

    def _probabilities(self, pictures: np.ndarray) -> list[np.ndarray]:
        if self._how.target == "label" or not self._how.fills_picture:
            return list(self._predictor.predict(pictures))
        prepared = [self._segmenter.begin(picture, is_file=False) for picture in pictures]
        if prepared[0].is_single:
            predicted = self._predictor.predict(np.stack([picture.tile for picture in prepared]))
            results = [p.finish(values) for p, values in zip(prepared, predicted, strict=True)]
        else:
            size = self._inspection.per_rank_batch_size
            results = [picture.bands(self._predictor, size) for picture in prepared]
        return [np.concatenate([band for _, band in bands]) for bands in results]

    def _create_metric_states(self) -> None:
        """Create the metrics' variables on a rank without samples.

        Metrics create them at their first update, and all ranks must reduce the same variables. Sample 0 with weight 0
        creates them and counts nothing.
        """
        weight = np.zeros(1, np.float32)
        for _, _, truth, probabilities in self._predict([0]):
            for metric in self._all.values():
                metric.update_state(truth[None], probabilities[None], sample_weight=weight)

    def _add_sample(
        self, index: int, truth: np.ndarray, probabilities: np.ndarray
    ) -> dict[str, Any]:
        """Add a sample to the metrics, and return its row of the table."""
        row: dict[str, Any] = {"index": index, "name": self._subject.source.name_of(index)}
        pair = truth[None], probabilities[None]
        if self._loss is not None:
            loss = self._loss(*pair)
            self._mean_loss.update_state(loss)
            row["_loss"] = float(np.mean(np.asarray(loss)))
        for name, metric in self._all.items():
            metric.update_state(*pair)
            if name != _MATRIX:
                self._single[name].reset_state()
                self._single[name].update_state(*pair)
                row[name] = round(float(self._single[name].result()), 6)
        if self._how.target == "label":
            every = every_class(probabilities)
            p_true = float(every[int(truth)])
            row |= {"true": int(truth), "found": int(every.argmax()), "p_true": round(p_true, 6)}
        row["_good"] = -self._badness(truth, probabilities)
        if self._how.target == "mask":
            row.setdefault("dice", round(self._dice(truth, probabilities), 6))
        row["_badness"] = -row["dice"] if self._how.target == "mask" else -row["_good"]
        return row

    def _draw(self, indices: list[int]) -> None:
        """Draw these samples, which are predicted once more. Only rank 0 calls it."""
        samples = [self._samples.read([index]).values() for index in indices]
        pictures, truths = zip(*([part[0] for part in sample] for sample in samples), strict=True)
        predicted = [self._probabilities(picture[None])[0] for picture in pictures]
        path = self._inspection.worst_sheet
        if self._how.target == "label":
            names = self._how.class_names or None
            draw_classification(pictures, list(map(int, truths)), np.stack(predicted), path, names)
        elif self._how.target == "values":
            titles = [self._subject.source.name_of(index) for index in indices]
            draw_values(pictures, truths, predicted, path, titles)
        else:
            titles = [self._subject.source.name_of(index) for index in indices]
            draw_segmentation(
                pictures, truths, predicted, path, titles, self._subject.plan.ignore_index
            )

    def _dice(self, truth: np.ndarray, probabilities: np.ndarray) -> float:
        return mean_dice(truth[..., 0], probabilities, self._subject.plan.ignore_index)


def _reduced(metrics: dict[str, Any]) -> dict[str, np.ndarray]:
    """Return the metrics' results over the samples of all ranks. All ranks must call it."""
    variables = [variable for metric in metrics.values() for variable in metric.variables]
    for variable, value in zip(variables, reduced_values(variables), strict=True):
        variable.assign(value)
    return {name: np.asarray(metric.result()) for name, metric in metrics.items()}


def _write_text(path: Path, text: str) -> None:
    write_whole(path, lambda partial: partial.write_text(text, encoding="utf-8"))
