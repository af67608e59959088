"""Models as bytes: their checksum, and how OpenVINO loads them. No TensorFlow here."""

from __future__ import annotations

import contextlib
import hashlib
import signal
from collections.abc import Iterator

from ddl.inference.backends.openvino_backend import OpenVinoPredictor
from ddl.inference.backends.optional_packages import load_openvino
from ddl.inference.backends.predictor import load_error

_SETTINGS = {
    "PERFORMANCE_HINT": "LATENCY",
    "INFERENCE_NUM_THREADS": 1,  # PostgreSQL already runs several processes
    "NUM_STREAMS": 1,
    "ENABLE_CPU_PINNING": False,  # with pinning, every backend would use the same core
    "INFERENCE_PRECISION_HINT": "f32",  # the default is bf16 on CPUs that support it, with other results
}


def digest(network: bytes, weights: bytes, preprocessing: str) -> str:
    """Return the SHA-256 of a model."""
    checksum = hashlib.sha256()
    for part in (network, weights, preprocessing.encode()):
        # The length in front keeps two models apart whose parts differ only in where one ends.
        checksum.update(len(part).to_bytes(8, "big"))
        checksum.update(part)
    return checksum.hexdigest()


def open_network(network: bytes, weights: bytes) -> OpenVinoPredictor:
    """Compile a model from the content of its .xml and .bin files.

    Raises:
        ValueError: OpenVINO cannot load it.
    """
    with without_signals():
        core = load_openvino().Core()
        try:
            model = core.read_model(network, weights)
            return OpenVinoPredictor(core.compile_model(model, "CPU", _SETTINGS), 1)
        except RuntimeError as error:
            raise load_error("a network that OpenVINO cannot load", error) from error


@contextlib.contextmanager
def without_signals() -> Iterator[None]:
    """Block all signals in threads that start within the block: PostgreSQL's handlers must run in its main thread."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
