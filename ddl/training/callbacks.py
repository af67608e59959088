"""A user's own Keras callbacks in our loop: they get Keras's hooks, with the logs of all ranks at the end of an epoch.

    train(plan, callbacks=[keras.callbacks.CSVLogger("log.csv")])

Every rank passes the same ones. A callback that writes files should do so on rank 0 alone
(`ddl.distributed.is_root()`).
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from typing import Any

import keras

import ddl.distributed as dist
from ddl.training.run import Run

logger = logging.getLogger("ddl")

_BATCH_HOOKS = ("on_train_batch_begin", "on_train_batch_end", "on_batch_begin", "on_batch_end")


class UserCallbacks:
    """Calls the hooks of Keras callbacks at the places where Keras's `fit` does. All ranks have one.

    Attributes:
        every_step: whether one of them has a hook for each batch, so that steps are taken one by one.
    """

    def __init__(self, callbacks: Iterable[keras.callbacks.Callback], run: Run) -> None:
        """Keep the callbacks; `begin` introduces them to the model."""
        self._callbacks, self._run = list(callbacks), run
        self._model: keras.Model | None = None
        wants = [
            type(callback).__name__ for callback in self._callbacks if _wants_batches(callback)
        ]
        self.every_step = bool(wants)
        if wants and dist.is_root():
            logger.info(
                "Steps are taken one by one, because %s has a hook for every batch.",
                ", ".join(wants),
            )

    @property
    def wants_end(self) -> bool:
        """Whether a callback has set `model.stop_training`."""
        return self._model is not None and bool(self._model.stop_training)

    def begin(self, model: keras.Model, validation_steps: int) -> None:
        """Start the training; a validation has so many steps."""
        self._model, self._validation_steps = model, validation_steps
        model.stop_training = False
        run = self._run
        self._list = keras.callbacks.CallbackList(
            self._callbacks, model=model, epochs=run.plan.epochs, steps=run.steps_per_epoch
        )
        self._list.on_train_begin()

    def begin_epoch(self) -> None:
        """Start the epoch at which the run stands."""
        self._list.on_epoch_begin(self._run.position.epoch)

    def begin_step(self) -> None:
        """Announce the next step."""
        if self.every_step:
            self._list.on_train_batch_begin(self._run.position.step)

    def end_step(self, logs: Mapping[str, Any]) -> None:
        """Hand on the logs of this rank after the step that was just counted."""
        if self.every_step:
            self._list.on_train_batch_end(self._run.position.step - 1, dict(self._run.named(logs)))

    def begin_validation(self) -> None:
        """Start a validation."""
        self._list.on_test_begin()
        self._list.on_test_batch_begin(0)

    def validation_step(self, number: int, logs: Mapping[str, Any]) -> None:
        """Hand on the logs of this rank after a step (counted from 1) of a validation."""
        if not self._callbacks:
            return
        self._list.on_test_batch_end(number - 1, dict(self._run.named(logs)))
        if number < self._validation_steps:
            self._list.on_test_batch_begin(number)

    def end_validation(self, logs: Mapping[str, Any]) -> None:
        """Hand on the validation's losses and metrics, over all ranks."""
        self._list.on_test_end(_numbers(self._run.named(logs)))

    def end_epoch(self, logs: Mapping[str, Any]) -> None:
        """Hand on the epoch's losses and metrics, over all ranks."""
        self._list.on_epoch_end(self._run.position.epoch, _numbers(self._run.named(logs)))

    def end(self) -> None:
        """End a training that is complete."""
        if self._run.history and self._model is not None:
            self._list.on_train_end(self._run.history[-1])


def _numbers(logs: Mapping[str, Any]) -> dict[str, float]:
    return {name: float(value) for name, value in logs.items()}


def _wants_batches(callback: keras.callbacks.Callback) -> bool:
    """Return whether a callback's class or object replaces a hook for single batches."""
    plain = keras.callbacks.Callback
    return any(
        name in vars(callback) or getattr(type(callback), name) is not getattr(plain, name)
        for name in _BATCH_HOOKS
    )
