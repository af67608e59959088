"""Evaluates a model that finds boxes: average precision of all samples, per class, and the worst pictures.

Every rank predicts a part of the samples; rank 0 computes, picture by picture in the samples' order, so that N ranks
give the figures of one process.
"""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from typing import Any

import numpy as np

import ddl.distributed as dist
from ddl.boxes.average_precision import AveragePrecision, Precision
from ddl.boxes.decoding import decode
from ddl.boxes.found import Found
from ddl.boxes.rows import boxes_in
from ddl.boxes.suppression import suppress
from ddl.data.sharding import shard_bounds
from ddl.data.source import Source
from ddl.data.sources.boxed_pictures.picture_facts import picture_facts, stored_sides
from ddl.distributed.job.quiet import loading_tensorflow
from ddl.distributed.on_ranks import on_all, on_root
from ddl.files import write_whole
from ddl.inference.backends.normalized import normalizing
from ddl.inference.backends.predictor import Predictor, check_shape, open_predictor
from ddl.inference.inspection.inspection import Inspection, per_picture_text
from ddl.inference.trained_model import TrainedModel
from ddl.training.data.training_data import as_samples
from ddl.training.evaluation import Subject
from ddl.training.record.sheets.box_sheet import draw_found

LEAST_SCORE = 0.01
SHOWN_SCORE = 0.3
_MOST_OVERLAP = 0.5
_WORST_LISTED = 5


def inspect_boxes(inspection: Inspection, subject: Subject, model: TrainedModel) -> dict[str, Any]:
    """Return the average precisions over all samples, and write what is asked for. All ranks must call it.

    Raises:
        ValueError: on all ranks, if the model cannot be loaded or does not accept such samples.
        BadData: on the rank that cannot read a sample.
    """
    samples, predictor = on_all(lambda: _open(inspection, subject, model))
    found = [
        one
        for part in dist.allgather(_predict(inspection, model, samples, predictor))
        for one in part
    ]
    predictor.close()
    results = on_root(lambda: _results(inspection, model, samples, found))
    return {"model": str(inspection.exported or subject.file), "samples": len(samples), **results}


def _open(
    inspection: Inspection, subject: Subject, model: TrainedModel
) -> tuple[Source, Predictor]:
    with loading_tensorflow():
        predictor = open_predictor(
            model.file, backend=inspection.backend, precision=inspection.inference_precision
        )
    how = dataclasses.replace(model.preprocessing, transforms=())
    samples = as_samples(subject.source, subject.plan, how.classes)
    check_shape(np.empty(samples.fields["image"].shape, np.uint8), predictor.input_shape)
    return samples, normalizing(predictor, how)


def _predict(
    inspection: Inspection, model: TrainedModel, samples: Source, predictor: Predictor
) -> list[Found]:
    """Return what is found in this rank's samples."""
    layout, image = model.preprocessing.box_layout, samples.fields["image"]
    sides = (image.shape[0], image.shape[1])
    start, end = shard_bounds(len(samples), dist.rank(), dist.size())
    found = []
    for first in range(start, end, inspection.per_rank_batch_size):
        indices = np.arange(first, min(first + inspection.per_rank_batch_size, end))
        for raw in predictor.predict(samples.read(indices)["image"]):
            boxes, scores = decode(raw, layout, sides)
            found.append(
                suppress(boxes, scores, least_score=LEAST_SCORE, most_overlap=_MOST_OVERLAP)
            )
    return found


def _results(
    inspection: Inspection, model: TrainedModel, samples: Source, found: list[Found]
) -> dict[str, Any]:
    """Return the figures, and write the table and the sheet. Only rank 0 calls it."""
    how = model.preprocessing
    collected, rows = AveragePrecision(how.classes), []
    for index, boxes in enumerate(found):
        own, sides = samples.read([index])["boxes"][0], stored_sides(samples, index)
        collected.add(boxes, own, sides)
        alone = AveragePrecision(how.classes)
        alone.add(boxes, own, sides)
        shown = int((boxes.scores >= SHOWN_SCORE).sum())
        rows.append(
            {
                "name": picture_facts(samples, index).name,
                "true": len(boxes_in(own)),
                "found": shown,
                "ap50": _picture_score(alone.result().ap50, shown),
            }
        )
    order = sorted(range(len(rows)), key=lambda index: (rows[index]["ap50"], index))
    if inspection.per_picture is not None:
        _write_text(inspection.per_picture, per_picture_text(rows))
    if inspection.worst:
        _draw(inspection, model, samples, found, order[: inspection.worst])
    worst = {str(rows[index]["name"]): rows[index]["ap50"] for index in order[:_WORST_LISTED]}
    return {**_figures(collected.result(), model), "worst": worst}


def _figures(precision: Precision, model: TrainedModel) -> dict[str, Any]:
    """Return the figures as JSON values; None where there is no true box."""
    how = model.preprocessing
    by_class = zip(
        precision.ap_by_class, precision.ap50_by_class, precision.boxes_by_class, strict=True
    )
    return {
        "ap": _number(precision.ap),
        "ap50": _number(precision.ap50),
        "ap75": _number(precision.ap75),
        **{f"ap_{name}": _number(value) for name, value in precision.ap_by_area.items()},
        "recall_100": _number(precision.recall),
        "by_class": {
            how.name_of(label): {"ap": _number(ap), "ap50": _number(ap50), "boxes": int(count)}
            for label, (ap, ap50, count) in enumerate(by_class)
        },
    }


def _draw(
    inspection: Inspection,
    model: TrainedModel,
    samples: Source,
    found: list[Found],
    indices: list[int],
) -> None:
    how, batch = model.preprocessing, samples.read(indices)
    shown = []
    for index in indices:
        boxes = found[index]
        kept = boxes.scores >= SHOWN_SCORE
        shown.append(Found(boxes.boxes[kept], boxes.classes[kept], boxes.scores[kept]))
    names = [how.name_of(label) for label in range(how.classes)]
    titles = [picture_facts(samples, index).name for index in indices]
    draw_found(batch["image"], batch["boxes"], shown, inspection.worst_sheet, names, titles)


def _picture_score(ap50: float, found: int) -> float:
    """Return a picture's average precision; of one without true boxes 1 where nothing is found, else 0."""
    return float(found == 0) if math.isnan(ap50) else round(ap50, 6)


def _number(value: float) -> float | None:
    return None if math.isnan(value) else float(value)


def _write_text(path: Path, text: str) -> None:
    write_whole(path, lambda partial: partial.write_text(text, encoding="utf-8"))
