"""The interface of inference backends and their table. A new backend is one file and one line here."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from ddl.inference.backends.optional_packages import check_packages
from ddl.ranges import check_choice

MODES = ("throughput", "latency")
PRECISIONS = ("f32", "bf16")


class Predictor(Protocol):
    """A model that is ready to predict. Not thread-safe."""

    input_shape: tuple[int | None, ...]
    """Height, width and channels (volumes: depth first); None for a side that may vary."""

    classes: int
    """Number of channels of a prediction."""

    def predict(self, batch: np.ndarray) -> np.ndarray:
        """Predict pictures (N, H, W, C), float32 from 0 to 1.

        Returns:
            Probabilities, float32: (N, H, W, classes) for masks, (N, classes) for labels.
        """
        ...

    def close(self) -> None:
        """Release the model. Can be called twice."""
        ...


@dataclass(frozen=True)
class Backend:
    """An inference backend.

    Attributes:
        module: module with `open_predictor(path, *, threads, mode, precision) -> Predictor`; imported only when the
            backend is used.
        suffixes: suffixes of its model files; "auto" takes the first backend in the table that matches.
        packages: extra packages that it needs.
        precisions: supported precisions of computation for float models.
    """

    module: str
    suffixes: tuple[str, ...]
    packages: tuple[str, ...] = ()
    precisions: tuple[str, ...] = ("f32",)


BACKENDS: dict[str, Backend] = {
    "keras": Backend("ddl.inference.backends.keras_backend", (".keras", ".h5", ".hdf5", ".pt")),
    "openvino": Backend(
        "ddl.inference.backends.openvino_backend", (".xml",), ("openvino",), PRECISIONS
    ),
    "onnx": Backend("ddl.inference.backends.onnx_backend", (".onnx",), ("onnxruntime",)),
    "tflite": Backend("ddl.inference.backends.tflite_backend", (".tflite",)),
    "savedmodel": Backend("ddl.inference.backends.savedmodel_backend", (".savedmodel",)),
}


def check_shape(picture: np.ndarray, wanted: tuple[int | None, ...]) -> None:
    """Check that a picture has the model's input shape, where None matches any side.

    Raises:
        ValueError: it has another shape.
    """
    fits = picture.ndim == len(wanted) and all(
        side in (None, actual) for side, actual in zip(wanted, picture.shape, strict=True)
    )
    if not fits:
        taken = "x".join("any" if side is None else str(side) for side in wanted)
        raise ValueError(
            f"Received: a picture of {'x'.join(map(str, picture.shape))}. Expected: {taken}, as the model requires."
        )


def load_error(problem: str, error: Exception) -> ValueError:
    """Return the error to raise when an engine cannot load a model; `problem` says which model and engine."""
    reason = " ".join(str(error).split())[:160]
    return ValueError(
        f"Received: {problem} ({reason}). Expected: a model that scripts/export.py wrote."
    )


def check_backend(path: Path, backend: str = "auto", precision: str = "f32") -> str:
    """Return the name of the backend for a model file, without importing it.

    Raises:
        ValueError: unknown backend, no backend for this file, missing package, or unsupported precision.
    """
    check_choice("backend", backend, ("auto", *BACKENDS))
    names = BACKENDS if backend == "auto" else (backend,)
    for name in names:
        chosen = BACKENDS[name]
        if path.suffix.lower() not in chosen.suffixes:
            continue
        if precision not in chosen.precisions:
            raise ValueError(
                f"Received: inference_precision={precision!r} for backend {name}. Expected: "
                f"{' or '.join(chosen.precisions)}."
            )
        check_packages(chosen.packages, f"{path} for backend {name}")
        return name
    known = ", ".join(suffix for name in names for suffix in BACKENDS[name].suffixes)
    raise ValueError(
        f"Received: {path} for backend {backend}. Expected: a model file that ends in {known}."
    )


def open_predictor(
    path: Path,
    *,
    backend: str = "auto",
    threads: int = 0,
    mode: str = "throughput",
    precision: str = "f32",
) -> Predictor:
    """Load a model file for prediction.

    Args:
        path: the model file; `ddl.inference.trained_model.find_model` finds that of a run.
        backend: a name in `BACKENDS`, or "auto" to choose by the file's suffix.
        threads: compute threads; 0 uses this rank's share of the cores.
        mode: "throughput" for many pictures, "latency" for one.
        precision: "f32", or "bf16" if the backend supports it: faster on processors with bf16, less exact.

    Raises:
        ValueError: the backend is unknown or not installed, or it cannot load the file.
    """
    check_choice("mode", mode, MODES)
    if threads < 0:
        raise ValueError(f"Received: threads={threads}. Expected: 0 or more.")
    module = importlib.import_module(BACKENDS[check_backend(path, backend, precision)].module)
    predictor: Predictor = module.open_predictor(
        path, threads=threads, mode=mode, precision=precision
    )
    return predictor
