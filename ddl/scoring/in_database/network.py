"""Load an OpenVINO model from bytes. It uses one thread, because PostgreSQL already runs several backends."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator

from ddl.inference.backends.openvino_backend import OpenVinoPredictor
from ddl.inference.backends.openvino_runtime import load_openvino

_SETTINGS = {
    "PERFORMANCE_HINT": "LATENCY",
    "INFERENCE_NUM_THREADS": 1,
    "NUM_STREAMS": 1,
    "ENABLE_CPU_PINNING": False,  # with pinning, every backend would use the same core
    "INFERENCE_PRECISION_HINT": "f32",  # the default is bf16 on CPUs that support it, with other results
}


def open_network(network: bytes, weights: bytes) -> OpenVinoPredictor:
    """Compile a model.

    Args:
        network: content of the .xml file.
        weights: content of the .bin file.

    Raises:
        ValueError: OpenVINO cannot load it.
    """
    with without_signals():
        core = load_openvino().Core()
        try:
            model = core.read_model(network, weights)
            return OpenVinoPredictor(core.compile_model(model, "CPU", _SETTINGS), 1)
        except RuntimeError as error:
            why = " ".join(str(error).split())[:160]
            raise ValueError(
                f"Received: a network that OpenVINO cannot load ({why}). Expected: a model that scripts/export.py "
                "wrote."
            ) from error


@contextlib.contextmanager
def without_signals() -> Iterator[None]:
    """Block all signals in threads that start within the block: PostgreSQL's handlers must run in its main thread."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
