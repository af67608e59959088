"""TensorFlow Lite as a backend: an exported .tflite, computed as a phone would."""

from __future__ import annotations

import struct
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from ddl.data.pictures.conversion import to_levels
from ddl.distributed.job.launcher import placement, threads_per_rank


class TflitePredictor:
    """An interpreter, which is made ready again for each new size of batch or picture."""

    def __init__(self, interpreter: Any) -> None:
        """Take an interpreter of a model of one input and one output."""
        self._image, self._found = (
            one[0] for one in (interpreter.get_input_details(), interpreter.get_output_details())
        )
        sides = self._image["shape_signature"][1:]
        self.input_shape: tuple[int | None, ...] = tuple(
            None if side < 0 else int(side) for side in sides
        )
        self.classes = int(self._found["shape_signature"][-1])
        self._dtype = np.dtype(self._image["dtype"])
        self._interpreter: Any = interpreter
        self._ready: tuple[int, ...] = ()

    def predict(self, batch: np.ndarray) -> np.ndarray:
        """Return probabilities, float32."""
        if batch.shape != self._ready:
            self._interpreter.resize_tensor_input(self._image["index"], batch.shape)
            self._interpreter.allocate_tensors()
            self._ready = batch.shape
        self._interpreter.set_tensor(self._image["index"], to_levels(batch, self._dtype))
        self._interpreter.invoke()
        return np.asarray(self._interpreter.get_tensor(self._found["index"]), np.float32)

    def close(self) -> None:
        """Let go of the model."""
        self._interpreter = None


def open_predictor(path: Path, *, threads: int, mode: str, precision: str) -> TflitePredictor:
    """Load a model. `mode` makes no difference: one call computes one batch.

    Raises:
        ValueError: TensorFlow Lite cannot read it.
    """
    import tensorflow as tf

    count = threads or threads_per_rank(placement().local_size)
    try:
        _check_whole(path)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it wants to be taken from another package one day
            interpreter = tf.lite.Interpreter(str(path), num_threads=count)
            interpreter.allocate_tensors()
            return TflitePredictor(interpreter)
    except (ValueError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:160]
        raise ValueError(
            f"Received: {path}, which TensorFlow Lite cannot read ({reason}). Expected: a model that scripts/export.py "
            "wrote."
        ) from error


def _check_whole(path: Path) -> None:
    """Refuse a file that was cut short, which takes the interpreter, and the process with it, down.

    Raises:
        ValueError: something in it lies beyond its end.
    """
    from tensorflow.lite.python import schema_py_generated as schema

    try:
        schema.ModelT.InitFromObj(schema.Model.GetRootAs(path.read_bytes(), 0))
    except (struct.error, TypeError, IndexError, ValueError) as error:
        raise ValueError("it is cut short or damaged") from error
