"""What every test starts from: quiet TensorFlow, no GPU memory grabbed, no job around it, and Ctrl-C heard."""

from __future__ import annotations

import gc
import os
import signal
import sys

pytest_plugins = [
    "pytester",
    "tests.tiers.selection",
    "tests.tiers.workers",
    "tests.tiers.alone",
    "tests.tiers.times",
    "tests.tiers.kept",
]

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")
for name in [
    name for name in os.environ if name.startswith(("OMPI_COMM_", "PMIX_", "PMI_", "HOROVOD_RANK"))
]:
    del os.environ[name]

# OpenVINO's telemetry forks this process for every conversion. The copy of a process with so many threads hangs, and
# where a test has handlers of signals it cannot be ended: hundreds of copies ate the memory.
sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]

# A shell's background job ignores Ctrl-C, and so would every program that the tests start.
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_finish() -> None:
    """Take all that was imported out of the garbage collector's rounds: a twelfth of the time."""
    gc.collect()
    gc.freeze()


def pytest_sessionfinish() -> None:
    """End the pool of ranks; a job that ends badly fails the session."""
    if "tests.ranks.pool" in sys.modules:
        sys.modules["tests.ranks.pool"].close_all()
