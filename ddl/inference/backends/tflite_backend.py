"""TensorFlow Lite backend for exported .tflite models, with the interpreter that phones use."""

from __future__ import annotations

import struct
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from ddl.data.pictures.conversion import to_levels
from ddl.distributed.job.launcher import placement, threads_per_rank
from ddl.distributed.job.quiet import without_chatter
from ddl.inference.backends.predictor import load_error


class TflitePredictor:
    """An interpreter, which is resized whenever the shape of the batch changes."""

    def __init__(self, interpreter: Any) -> None:
        """Wrap an interpreter of a model with one input and one output."""
        self._image = interpreter.get_input_details()[0]
        self._output = interpreter.get_output_details()[0]
        sides = self._image["shape_signature"][1:]
        self.input_shape: tuple[int | None, ...] = tuple(
            None if side < 0 else int(side) for side in sides
        )
        self.classes = int(self._output["shape_signature"][-1])
        self._dtype = np.dtype(self._image["dtype"])
        self._interpreter: Any = interpreter
        self._allocated_shape: tuple[int, ...] = ()

    def predict(self, batch: np.ndarray) -> np.ndarray:
        if batch.shape != self._allocated_shape:
            self._interpreter.resize_tensor_input(self._image["index"], batch.shape)
            self._interpreter.allocate_tensors()
            self._allocated_shape = batch.shape
        self._interpreter.set_tensor(self._image["index"], to_levels(batch, self._dtype))
        self._interpreter.invoke()
        return np.asarray(self._interpreter.get_tensor(self._output["index"]), np.float32)

    def close(self) -> None:
        self._interpreter = None


def open_predictor(path: Path, *, threads: int, mode: str, precision: str) -> TflitePredictor:
    """Load a model. TensorFlow Lite has no modes: `mode` is ignored.

    Raises:
        ValueError: TensorFlow Lite cannot read it.
    """
    import tensorflow as tf

    count = threads or threads_per_rank(placement().local_size)
    try:
        _check_whole(path)
        with warnings.catch_warnings(), without_chatter():
            warnings.simplefilter("ignore")  # the interpreter will move to LiteRT
            interpreter = tf.lite.Interpreter(str(path), num_threads=count)
            interpreter.allocate_tensors()
            return TflitePredictor(interpreter)
    except (ValueError, RuntimeError) as error:
        raise load_error(f"{path}, which TensorFlow Lite cannot read", error) from error


def _check_whole(path: Path) -> None:
    """Refuse a truncated file, which would crash the interpreter and with it the process.

    Raises:
        ValueError: the file refers to data beyond its end.
    """
    from tensorflow.lite.python import schema_py_generated as schema

    try:
        schema.ModelT.InitFromObj(schema.Model.GetRootAs(path.read_bytes(), 0))
    except (struct.error, TypeError, IndexError, ValueError) as error:
        raise ValueError("the file is truncated or damaged") from error
