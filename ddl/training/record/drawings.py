"""The two pictures of a run: `curves.png` from its history, `samples.png` from its first validation samples.

Without validation these are training samples.
"""

from __future__ import annotations

import keras
import numpy as np

from ddl.boxes.decoding import decode
from ddl.boxes.suppression import suppress
from ddl.data.activation import activated
from ddl.data.batches.batch_reader import BatchReader
from ddl.data.preprocessing import GENERATOR
from ddl.data.source import Source
from ddl.training.adversarial.samples.run_sheets import draw_generated
from ddl.training.checkpoint.checkpoint_folder import best_epochs
from ddl.training.record.curves import draw_curves
from ddl.training.record.figure import draw_columns
from ddl.training.record.picture_sheet import draw_classification, draw_segmentation
from ddl.training.record.sheets.box_sheet import draw_found
from ddl.training.record.sheets.value_sheet import draw_values
from ddl.training.record.tensorboard import EventWriter
from ddl.training.run import Run

SHOWN_SAMPLES = 8
SHOWN_SCORE = 0.3
"""Boxes of lower scores are not drawn."""
_STRIP_PX = 16


def draw_run(run: Run, samples: Source, model: keras.Model, events: EventWriter | None) -> None:
    """Draw both pictures, and add that of samples to TensorBoard's events."""
    draw_history(run)
    draw_samples(run, samples, model)
    if events is not None and run.history:
        events.write_picture("samples", run.plan.run_dir / "samples.png", len(run.history))


def draw_history(run: Run) -> None:
    """Draw the curves of a run's history, with the best epoch marked."""
    numbers = [epoch["epoch"] for epoch in run.history]
    best = best_epochs(numbers, run.history, run.plan.monitor, run.plan.mode)
    path = run.plan.run_dir / "curves.png"
    draw_curves(run.history, path, best_epoch=best[0] if best else None)


def draw_samples(run: Run, samples: Source, model: keras.Model) -> None:
    """Draw the first samples with what the model predicts for them.

    It computes one at a time: a model whose training step just fits the memory must not fail here, and Keras keeps
    every layer's output while it calls a model.
    """
    if run.preprocessing.target == GENERATOR:
        draw_generated(run, model)
        return
    indices = np.arange(min(SHOWN_SAMPLES, len(samples)))
    pictures, *targets = BatchReader(samples)(0, indices)
    normalization = run.preprocessing.normalization
    inputs = pictures if normalization is None else normalization.apply(pictures)
    outputs = np.stack([_output(model, sample) for sample in inputs])
    probabilities = activated(outputs, run.preprocessing.activation)
    path = run.plan.run_dir / "samples.png"
    if not targets:
        lines = outputs[..., np.newaxis] if outputs.ndim == 2 else outputs  # a value for each class
        draw_columns({"input": pictures, "output": lines}, path)
    elif run.plan.predicts == "values":
        titles = [samples.name_of(int(index)) for index in indices]
        draw_values(pictures, targets[0], probabilities, path, titles)
    elif run.plan.predicts == "mask":
        pictures, truths, probabilities = map(_with_height, (pictures, targets[0], probabilities))
        draw_segmentation(pictures, truths, probabilities, path, ignore_index=run.plan.ignore_index)
    elif run.plan.predicts == "boxes":
        layout = run.preprocessing.box_layout
        sides = pictures.shape[1], pictures.shape[2]
        found = [
            suppress(*decode(output, layout, sides), least_score=SHOWN_SCORE) for output in outputs
        ]
        classes = [run.preprocessing.name_of(label) for label in range(layout.classes)]
        titles = [samples.name_of(int(index)) for index in indices]
        draw_found(pictures, targets[0], found, path, classes, titles)
    else:
        names = samples.class_names or None
        draw_classification(pictures, targets[0], probabilities, path, class_names=names)


def _with_height(values: np.ndarray) -> np.ndarray:
    """Return lines, (samples, length, channels), as strips that can be seen; pictures and volumes unchanged."""
    return values if values.ndim > 3 else np.repeat(values[:, np.newaxis], _STRIP_PX, 1)


def _output(model: keras.Model, sample: np.ndarray) -> np.ndarray:
    """Return the model's first output for a sample."""
    outputs = model(sample[None], training=False)
    if isinstance(outputs, dict | list):
        outputs = next(iter(outputs.values())) if isinstance(outputs, dict) else outputs[0]
    output: np.ndarray = np.asarray(keras.ops.convert_to_numpy(outputs), np.float32)[0]
    return output
