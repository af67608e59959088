"""Ranks stop `fit` together: where a callback sets `model.stop_training` on one rank, all ranks stop there.

Keras looks at `stop_training` after each batch. A rank that stopped alone would leave the others waiting for it.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from ddl.distributed import runtime

_NEVER_STOP = ("keras.src.callbacks.", "ddl.")
_MAY_STOP = ("TerminateOnNaN", "LambdaCallback")
_PER_BATCH = ("on_batch_end", "on_train_batch_end", "on_batch_begin", "on_train_batch_begin")


def install() -> None:
    """Wrap the hooks of Keras's list of callbacks. `guard.install` calls it once."""
    _wrap("on_train_begin", _find_out)
    _wrap("on_train_batch_end", _agree_after_batch)
    _wrap("on_epoch_end", _agree)


def _wrap(name: str, after: Callable[[Any], None]) -> None:
    original = getattr(keras.callbacks.CallbackList, name)

    @functools.wraps(original)
    def wrapper(self: Any, *args: Any, **kwargs: Any) -> None:
        original(self, *args, **kwargs)
        if runtime.size() > 1 and any(
            getattr(one, "stops_together", False) for one in self.callbacks
        ):
            after(self)

    setattr(keras.callbacks.CallbackList, name, wrapper)


def _find_out(callbacks: Any) -> None:
    """Find out whether ranks must agree after each batch, which costs a reduction; ranks may differ in callbacks."""
    decides = any(_may_stop_after_batch(callback) for callback in callbacks.callbacks)
    callbacks._ddl_each_batch = _any_rank(decides)


def _may_stop_after_batch(callback: keras.callbacks.Callback) -> bool:
    kind = type(callback)
    if f"{kind.__module__}.".startswith(_NEVER_STOP) and kind.__name__ not in _MAY_STOP:
        return False
    return any(
        name in callback.__dict__
        or getattr(kind, name) is not getattr(keras.callbacks.Callback, name)
        for name in _PER_BATCH
    )


def _agree_after_batch(callbacks: Any) -> None:
    if callbacks._ddl_each_batch:
        _agree(callbacks)


def _agree(callbacks: Any) -> None:
    model = callbacks.model
    model.stop_training = _any_rank(bool(model.stop_training))


def _any_rank(value: bool) -> bool:
    return bool(runtime.allreduce(np.asarray(float(value)), "max"))
