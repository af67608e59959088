"""What a small run of a test computes in, and what it leaves to compare."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import keras
import numpy as np

import ddl.distributed as dist


@contextmanager
def computing_in(floatx: str) -> Iterator[None]:
    """Let Keras compute in a type of floats inside this `with` block."""
    before = keras.config.floatx(), keras.config.dtype_policy()
    keras.config.set_floatx(floatx)
    keras.config.set_dtype_policy(floatx)
    try:
        yield
    finally:
        keras.config.set_floatx(before[0])
        keras.config.set_dtype_policy(before[1])


def outcome(history: Sequence[dict[str, Any]], folder: Path) -> dict[str, Any]:
    """Return the history, and all weights of the final model in one array, which rank 0 alone has."""
    model = keras.models.load_model(folder / "model.keras") if dist.is_root() else None
    weights = [] if model is None else [np.ravel(weight) for weight in model.get_weights()]
    return {
        "history": [{name: float(value) for name, value in epoch.items()} for epoch in history],
        "weights": np.concatenate([*weights, np.zeros(0)]),
    }
