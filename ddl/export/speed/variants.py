"""The variants that the inference benchmark compares: Keras in two, OpenVINO in three."""

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
from ddl.export.speed.inference_benchmark import InferenceBenchmark
from ddl.inference.backends.keras_backend import KerasPredictor
from ddl.inference.backends.normalized import normalizing
from ddl.inference.backends.predictor import MODES, open_predictor
from ddl.inference.trained_model import TrainedModel
from ddl.training.checkpoint.transfer import load_model

PREDICT = "Keras predict"
TRACED = "Keras, traced"
F32, BF16, INT8 = "OpenVINO f32", "OpenVINO bf16", "OpenVINO int8"
_OPENVINO = {F32: ("f32", "f32"), BF16: ("f32", "bf16"), INT8: ("int8", "f32")}
_ANY_DISTANCE = 1.0  # the benchmark reports the difference and never rejects an export for it


@dataclass(frozen=True)
class Variant:
    """A way to compute a model: the size of its files, its comparison with Keras, and a function for each mode."""

    bytes: int
    parity: Parity
    calls: Mapping[str, Callable[[np.ndarray], Any]]


def open_variants(
    benchmark: InferenceBenchmark,
    model: TrainedModel,
    checks: Samples,
    calibration: Samples,
    folder: Path,
) -> dict[str, Variant]:
    """Export a model to an empty folder, open every variant, and compare it with Keras on the samples `checks`."""
    keras_model = exportable(load_model(model.file))
    how = model.preprocessing
    traced = normalizing(KerasPredictor(keras_model), how)
    target, size = how.target, model.file.stat().st_size
    same = compare(checks, traced, traced, target)

    def predict(batch: np.ndarray) -> Any:
        return keras_model.predict(batch, batch_size=len(batch), verbose=0)

    variants = {
        PREDICT: Variant(size, same, dict.fromkeys(MODES, predict)),
        TRACED: Variant(size, same, dict.fromkeys(MODES, traced.predict)),
    }
    sizes: dict[str, int] = {}
    for precision in ("f32", "int8"):
        output, tolerance = folder / f"{precision}.xml", _ANY_DISTANCE
        export = Export(benchmark.model, output, precision=precision, tolerance=tolerance)
        sizes[precision] = export_model(export, model, checks, calibration).bytes_after
    for name, (stored, computed) in _OPENVINO.items():
        predictors = {
            mode: normalizing(
                open_predictor(
                    folder / f"{stored}.xml",
                    threads=benchmark.threads,
                    mode=mode,
                    precision=computed,
                ),
                how,
            )
            for mode in MODES
        }
        parity = compare(checks, traced, predictors["latency"], target)
        calls = {mode: predictor.predict for mode, predictor in predictors.items()}
        variants[name] = Variant(sizes[stored], parity, calls)
    return variants
