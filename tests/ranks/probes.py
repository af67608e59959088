"""What test_pool.py has ranks do: collectives, and each way of failing."""

from __future__ import annotations

import os
import signal
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np

import ddl.distributed as dist

LEFT_OVER = "DDL_TEST_LEFT_OVER"


def identity(value: Any) -> Any:
    return value


def pid() -> int:
    return os.getpid()


def weighed_sum(numbers: np.ndarray, factor: float) -> np.ndarray:
    """Return the sum over ranks of `numbers` times rank + 1, times a factor."""
    return dist.allreduce(numbers * (dist.rank() + 1), "sum") * factor


def say() -> None:
    """Print from Python, from a C library's place, and to both streams."""
    print(f"rank {dist.rank()} to standard output")
    print(f"rank {dist.rank()} to standard error", file=sys.stderr)
    os.write(2, b"past Python\n")


def raise_on(victim: int) -> float:
    """Fail on one rank, while the others wait for it in a collective; -1: on all of them."""
    print(f"rank {dist.rank()} begins")
    if victim in (-1, dist.rank()):
        raise RuntimeError(f"my bug on rank {dist.rank()}")
    return float(dist.allreduce(1.0))


def kill_on(victim: int) -> None:
    """Die as by the kernel's out-of-memory killer."""
    if dist.rank() == victim:
        os.kill(os.getpid(), signal.SIGKILL)
    dist.barrier()


def sleep_on(victim: int) -> None:
    """Stay away for as long as a test may take."""
    if dist.rank() == victim:
        time.sleep(300)


def unsendable() -> Any:
    return {"deep": [1, object()]}


def leave_traces() -> None:
    """Change what a call must find as new."""
    import keras

    os.environ[LEFT_OVER] = "1"
    os.environ.pop("HOME", None)
    os.chdir("/")
    sys.argv[:] = ["other"]
    warnings.simplefilter("error")
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    keras.config.set_floatx("float64")
    keras.config.set_dtype_policy("mixed_float16")
    keras.config.set_image_data_format("channels_first")
    keras.layers.Dense(1)


def traces() -> dict[str, Any]:
    """Return the same facts, and numbers drawn without a seed of one's own."""
    import keras

    return {
        "environ": [LEFT_OVER in os.environ, "HOME" in os.environ],
        "folder": Path.cwd(),
        "argv": sys.argv[1:],
        "errors": [entry[0] for entry in warnings.filters[:1]],
        "signal": signal.getsignal(signal.SIGTERM) is signal.SIG_IGN,
        "floatx": keras.config.floatx(),
        "policy": keras.config.dtype_policy().name,
        "format": keras.config.image_data_format(),
        "name": keras.layers.Dense(1).name,
        "drawn": [float(np.random.rand()), float(keras.random.uniform(()))],  # noqa: NPY002
    }
