"""ONNX Runtime backend for exported .onnx models, on the CPU."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ddl.data.pictures.conversion import to_levels
from ddl.distributed.job.launcher import placement, threads_per_rank
from ddl.inference.backends.predictor import load_error

_DTYPES = {"tensor(float)": "float32", "tensor(uint8)": "uint8", "tensor(uint16)": "uint16"}


class OnnxPredictor:
    """A session of ONNX Runtime; its threads share the work of each batch."""

    def __init__(self, session: Any) -> None:
        """Wrap a session of a model with one input and one output."""
        image, output = session.get_inputs()[0], session.get_outputs()[0]
        self.input_shape: tuple[int | None, ...] = tuple(
            side if isinstance(side, int) else None for side in image.shape[1:]
        )
        self.classes = int(output.shape[-1])
        self._dtype = np.dtype(_DTYPES[image.type])
        self._name = image.name
        self._session: Any = session

    def predict(self, batch: np.ndarray) -> np.ndarray:
        feed = {self._name: to_levels(batch, self._dtype)}
        return np.asarray(self._session.run(None, feed)[0], np.float32)

    def close(self) -> None:
        self._session = None


def open_predictor(path: Path, *, threads: int, mode: str, precision: str) -> OnnxPredictor:
    """Load a model. ONNX Runtime has no modes here: `mode` is ignored.

    Raises:
        ValueError: ONNX Runtime cannot read the file, or the model does not fit this backend.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads or threads_per_rank(placement().local_size)
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    try:
        session = onnxruntime.InferenceSession(
            str(path), options, providers=["CPUExecutionProvider"]
        )
        return OnnxPredictor(session)
    except Exception as error:  # ONNX Runtime's errors share no other base class
        raise load_error(f"{path}, which ONNX Runtime cannot read", error) from error
