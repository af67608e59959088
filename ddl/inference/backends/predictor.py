"""What every backend looks like, and the one table of backends. Adding a backend is one file and one line."""

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
    """A model that is ready to predict, whatever computes it. One thread at a time."""

    @property
    def input_shape(self) -> tuple[int | None, ...]:
        """Height, width and channels (of a volume depth first); None for a side that may vary."""
        ...

    @property
    def classes(self) -> int:
        """How many channels a prediction has."""
        ...

    def predict(self, batch: np.ndarray) -> np.ndarray:
        """Return probabilities, float32: of pictures (N, H, W, C) from 0 to 1, float32.

        Returns:
            (N, H, W, classes) of a model that finds masks, (N, classes) of one that finds labels.
        """
        ...

    def close(self) -> None:
        """Let go of the model. Closing twice is allowed."""
        ...


@dataclass(frozen=True)
class Backend:
    """A way to compute models.

    Attributes:
        module: holds `open_predictor(path, *, threads, mode, precision) -> Predictor`, and imports what it needs by
            itself.
        suffixes: of the model files that it takes; the first backend that takes a file is the one of "auto".
        packages: that it needs beside ddl's own.
        precisions: in which it can compute a model of floats.
    """

    module: str
    suffixes: tuple[str, ...]
    packages: tuple[str, ...] = ()
    precisions: tuple[str, ...] = ("f32",)


BACKENDS: dict[str, Backend] = {
    "keras": Backend("ddl.inference.backends.keras_backend", (".keras", ".h5", ".hdf5")),
    "openvino": Backend(
        "ddl.inference.backends.openvino_backend", (".xml",), ("openvino",), PRECISIONS
    ),
    "onnx": Backend("ddl.inference.backends.onnx_backend", (".onnx",), ("onnxruntime",)),
    "tflite": Backend("ddl.inference.backends.tflite_backend", (".tflite",)),
    "savedmodel": Backend("ddl.inference.backends.savedmodel_backend", (".savedmodel",)),
}


def check_shape(picture: np.ndarray, wanted: tuple[int | None, ...]) -> None:
    """Refuse a picture that the model does not take, where None is any side.

    Raises:
        ValueError: with what it takes.
    """
    fits = picture.ndim == len(wanted) and all(
        side in (None, found) for side, found in zip(wanted, picture.shape, strict=True)
    )
    if not fits:
        taken = "x".join("any" if side is None else str(side) for side in wanted)
        raise ValueError(
            f"Received: a picture of {'x'.join(map(str, picture.shape))}. Expected: {taken}, which the model takes."
        )


def check_backend(path: Path, backend: str = "auto", precision: str = "f32") -> str:
    """Return the name of the backend that computes a model file. Loads none.

    Raises:
        ValueError: there is no such backend, or none for this file, or it is not installed or has no such precision.
    """
    check_choice("backend", backend, ("auto", *BACKENDS))
    names = BACKENDS if backend == "auto" else (backend,)
    for name in names:
        if path.suffix.lower() in BACKENDS[name].suffixes:
            _check_precision(name, precision)
            check_packages(BACKENDS[name].packages, f"{path} for backend {name}")
            return name
    known = ", ".join(suffix for name in names for suffix in BACKENDS[name].suffixes)
    raise ValueError(
        f"Received: {path} for backend {backend}. Expected: a model file that ends in {known}."
    )


def _check_precision(name: str, precision: str) -> None:
    known = BACKENDS[name].precisions
    if precision not in known:
        raise ValueError(
            f"Received: inference_precision={precision!r} for backend {name}. Expected: {' or '.join(known)}."
        )


def open_predictor(
    path: Path,
    *,
    backend: str = "auto",
    threads: int = 0,
    mode: str = "throughput",
    precision: str = "f32",
) -> Predictor:
    """Return a model file, ready to predict.

    Args:
        path: of the file; `ddl.inference.trained_model.find_model` finds that of a run.
        backend: a name in `BACKENDS`, or "auto": by the file's name.
        threads: that compute; 0 for this rank's share of the cores.
        mode: "throughput" for many pictures in as little time as possible, "latency" for one.
        precision: "f32", or "bf16" where the backend can: faster on processors that have it, less exact.

    Raises:
        ValueError: the backend is unknown or not installed, or the file is none of its models.
    """
    check_choice("mode", mode, MODES)
    if threads < 0:
        raise ValueError(f"Received: threads={threads}. Expected: 0 or more.")
    module = importlib.import_module(BACKENDS[check_backend(path, backend, precision)].module)
    predictor: Predictor = module.open_predictor(
        path, threads=threads, mode=mode, precision=precision
    )
    return predictor
