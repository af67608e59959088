"""OpenVINO backend for exported models (.xml with .bin), on the CPU."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ddl.data.pictures.conversion import to_levels
from ddl.inference.backends.optional_packages import load_openvino
from ddl.inference.backends.predictor import load_error


class OpenVinoPredictor:
    """A compiled model. In throughput mode, parts of a batch are computed in parallel."""

    def __init__(self, compiled: Any, requests: int) -> None:
        """Wrap a compiled model with one input and one output, for at most `requests` parallel requests."""
        shape, self._dtype = _shape_of(compiled.input(0)), compiled.input(0).element_type.to_dtype()
        self.input_shape: tuple[int | None, ...] = shape[1:]
        self.classes = int(_shape_of(compiled.output(0))[-1] or 1)
        self._compiled: Any = compiled
        self._max_requests = requests
        self._requests: list[Any] = []

    def predict(self, batch: np.ndarray) -> np.ndarray:
        batch = np.ascontiguousarray(to_levels(batch, self._dtype))
        count = min(len(batch), self._max_requests)
        if count < 2:
            return np.asarray(self._compiled(batch)[0], np.float32)
        return self._side_by_side(np.array_split(batch, count))

    def close(self) -> None:
        self._requests, self._compiled = [], None

    def _side_by_side(self, parts: list[np.ndarray]) -> np.ndarray:
        """Compute parts of a batch in parallel.

        OpenVINO's AsyncInferQueue is not used: it calls Python from its own threads, and can deadlock when it is
        destroyed while one of them still returns.
        """
        while len(self._requests) < len(parts):
            self._requests.append(self._compiled.create_infer_request())
        busy = self._requests[: len(parts)]
        for request, part in zip(busy, parts, strict=True):
            request.start_async({0: part})
        for request in busy:
            request.wait()
        # Copies: the next request of the same slot overwrites its output tensor.
        outputs = [np.array(request.get_output_tensor(0).data, np.float32) for request in busy]
        return np.concatenate(outputs)


def open_predictor(path: Path, *, threads: int, mode: str, precision: str) -> OpenVinoPredictor:
    """Compile a model for the CPU.

    Raises:
        ValueError: OpenVINO cannot read the file, or the model has more than one input or output.
    """
    # Imported here, because PostgreSQL loads this module too: it opens models from bytes and has no ranks.
    from ddl.distributed.job.launcher import placement, threads_per_rank

    ov = load_openvino()
    settings = {
        "PERFORMANCE_HINT": mode.upper(),
        "INFERENCE_NUM_THREADS": threads or threads_per_rank(placement().local_size),
        # By default OpenVINO computes in bf16 where the CPU supports it, and results differ from the checked ones.
        "INFERENCE_PRECISION_HINT": precision,
        # With pinning, all ranks would pin their threads to the same first cores.
        "ENABLE_CPU_PINNING": False,
    }
    try:
        compiled = ov.Core().compile_model(str(path), "CPU", settings)
        optimum = "OPTIMAL_NUMBER_OF_INFER_REQUESTS"
        requests = 1 if mode == "latency" else int(compiled.get_property(optimum))
        return OpenVinoPredictor(compiled, requests)
    except RuntimeError as error:
        raise load_error(f"{path}, which OpenVINO cannot read", error) from error


def _shape_of(port: Any) -> tuple[int | None, ...]:
    return tuple(
        None if side.is_dynamic else int(side.get_length()) for side in port.get_partial_shape()
    )
