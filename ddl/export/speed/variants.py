"""The backends that the inference benchmark compares: Keras in two variants, OpenVINO in three."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ddl.export.export import Export
from ddl.export.exporter import export_model
from ddl.export.keras_model import exportable
from ddl.export.parity import Parity, compare
from ddl.export.reference_pictures import Samples
from ddl.inference.backends.keras_backend import KerasPredictor
from ddl.inference.backends.predictor import MODES, Predictor, open_predictor
from ddl.inference.trained_model import TrainedModel, model_files
from ddl.training.checkpoint.transfer import load_model

PREDICT = "Keras predict"
TRACED = "Keras, traced"
F32, BF16, INT8 = "OpenVINO f32", "OpenVINO bf16", "OpenVINO int8"
_OPENVINO = {F32: ("f32", "f32"), BF16: ("f32", "bf16"), INT8: ("int8", "f32")}
_ANY_DISTANCE = 1.0  # the benchmark reports the difference and never rejects an export for it


@dataclass(frozen=True)
class Contender:
    """A backend to measure.

    Attributes:
        bytes: total size of the model's files.
        parity: comparison with Keras.
        calls: mode -> function that predicts a batch.
    """

    bytes: int
    parity: Parity
    calls: Mapping[str, Callable[[np.ndarray], Any]]


def open_contenders(
    model: TrainedModel,
    exports: dict[str, Export],
    checks: Samples,
    calibration: Samples,
    threads: int,
) -> dict[str, Contender]:
    """Export a model and open it in every backend.

    Args:
        model: the model to measure.
        exports: precision -> its export.
        checks: samples for the comparison with Keras.
        calibration: samples for int8 calibration.
        threads: compute threads; 0 uses all cores.
    """
    keras_model = exportable(load_model(model.file))
    traced = KerasPredictor(keras_model)
    target, size = model.preprocessing.target, model.file.stat().st_size
    same = compare(checks, traced, traced, target)
    contenders = {
        PREDICT: Contender(size, same, dict.fromkeys(MODES, _predict_of(keras_model))),
        TRACED: Contender(size, same, dict.fromkeys(MODES, traced.predict)),
    }
    for export in exports.values():
        export_model(export, model, checks, calibration)
    for name, (stored, computed) in _OPENVINO.items():
        file = exports[stored].output
        predictors: dict[str, Predictor] = {
            mode: open_predictor(file, threads=threads, mode=mode, precision=computed)
            for mode in MODES
        }
        parity = compare(checks, traced, predictors["latency"], target)
        calls = {mode: predictor.predict for mode, predictor in predictors.items()}
        contenders[name] = Contender(_size_of(file), parity, calls)
    return contenders


def planned_exports(model: Path, checkpoint: str, folder: Path) -> dict[str, Export]:
    """Return the exports that the OpenVINO backends need, by precision."""
    return {
        precision: Export(
            model=model,
            output=folder / f"{precision}.xml",
            precision=precision,
            checkpoint=checkpoint,
            tolerance=_ANY_DISTANCE,
        )
        for precision in ("f32", "int8")
    }


def _predict_of(model: Any) -> Callable[[np.ndarray], Any]:
    return lambda batch: model.predict(batch, batch_size=len(batch), verbose=0)


def _size_of(file: Path) -> int:
    return sum(path.stat().st_size for path in model_files(file))
