"""An OpenVINO model from bytes, computed by one thread: a database already runs as many backends as it wants."""

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
    "ENABLE_CPU_PINNING": False,  # every backend would pin its thread to the same core
    "INFERENCE_PRECISION_HINT": "f32",  # else bf16 where the processor has it, and other results
}


def open_network(network: bytes, weights: bytes) -> OpenVinoPredictor:
    """Build a model.

    Args:
        network: the .xml of OpenVINO's IR.
        weights: its .bin.

    Raises:
        ValueError: these are none.
    """
    with without_signals():
        core = load_openvino().Core()
        try:
            model = core.read_model(network, weights)
            return OpenVinoPredictor(core.compile_model(model, "CPU", _SETTINGS), 1)
        except RuntimeError as error:
            why = " ".join(str(error).split())[:160]
            raise ValueError(
                f"Received: a network that OpenVINO cannot load ({why}). Expected: what scripts/export.py wrote."
            ) from error


@contextlib.contextmanager
def without_signals() -> Iterator[None]:
    """Let threads that start meanwhile be spared all signals: the server's handlers must run in its own thread."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
