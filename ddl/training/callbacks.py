"""Calls a user's Keras callbacks from our loop. At the end of an epoch they get the logs of all ranks.

    train(plan, callbacks=[keras.callbacks.CSVLogger("log.csv")])

Every rank passes the same ones. A callback that writes files should do so on rank 0 alone
(`ddl.distributed.is_root()`). Callbacks that set the learning rate are refused: the plan's schedule does.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import keras

import ddl.distributed as dist
from ddl.training.run import Run

logger = logging.getLogger("ddl")

Callbacks = Sequence[keras.callbacks.Callback]

_SETS_LEARNING_RATE = (keras.callbacks.LearningRateScheduler, keras.callbacks.ReduceLROnPlateau)
_BATCH_HOOKS = ("on_train_batch_begin", "on_train_batch_end", "on_batch_begin", "on_batch_end")


def check_callbacks(callbacks: Any) -> Callbacks:
    """Return the callbacks as a list.

    Raises:
        ValueError: they are no Keras callbacks, or one sets the learning rate.
    """
    try:
        given = list(callbacks)
    except TypeError:
        given = [None]
    if not all(isinstance(callback, keras.callbacks.Callback) for callback in given):
        raise ValueError(
            f"Received: callbacks={callbacks!r}. Expected: a list of keras.callbacks.Callback objects."
        )
    for callback in given:
        if isinstance(callback, _SETS_LEARNING_RATE):
            raise ValueError(
                f"Received: callback {type(callback).__name__}, which sets the learning rate. Expected: a plan with "
                'schedule="plateau" or another schedule (--schedule), whose rate a resumed run continues.'
            )
    return given


class UserCallbacks:
    """Calls the hooks of Keras callbacks where Keras's `fit` calls them. Every rank has one."""

    def __init__(self, callbacks: Callbacks, run: Run) -> None:
        """Note whether a callback has a hook for every batch. `check_callbacks` has accepted them."""
        self._callbacks, self._run = list(callbacks), run
        self._model: keras.Model | None = None
        self._epoch_logs: dict[str, float] = {}  # of the last epoch
        names = [type(callback).__name__ for callback in callbacks if _has_batch_hook(callback)]
        self.every_step = bool(names)  # steps are then taken one by one
        if names and dist.is_root():
            told = "Steps are taken one by one, because %s has a hook for every batch."
            if run.plan.parallel == "local":
                told = "%s has a hook for every batch, which is called once in sync_every steps."
            logger.info(told, ", ".join(names))

    @property
    def wants_end(self) -> bool:
        """Whether a callback has set `model.stop_training`."""
        return self._model is not None and bool(self._model.stop_training)

    def begin(self, model: keras.Model, validation_steps: int) -> None:
        """Pass the model to the callbacks, and start training."""
        self._model, self._validation_steps = model, validation_steps
        model.stop_training = False
        run = self._run
        self._list = keras.callbacks.CallbackList(
            self._callbacks, model=model, epochs=run.plan.epochs, steps=run.steps_per_epoch
        )
        self._list.on_train_begin()

    def begin_epoch(self) -> None:
        """Start the run's current epoch."""
        self._list.on_epoch_begin(self._run.position.epoch)

    def begin_step(self) -> None:
        """Start the next step, if a callback has a hook for it."""
        if self.every_step:
            self._list.on_train_batch_begin(self._run.position.step)

    def end_step(self, logs: Mapping[str, Any]) -> None:
        """End the last step, with this rank's logs."""
        if self.every_step:
            self._list.on_train_batch_end(self._run.position.step - 1, dict(self._run.named(logs)))

    def begin_validation(self) -> None:
        """Start a validation."""
        self._list.on_test_begin()
        self._list.on_test_batch_begin(0)

    def validation_step(self, number: int, logs: Mapping[str, Any]) -> None:
        """End a validation step (counted from 1), with this rank's logs."""
        if not self._callbacks:
            return
        self._list.on_test_batch_end(number - 1, dict(self._run.named(logs)))
        if number < self._validation_steps:
            self._list.on_test_batch_begin(number)

    def end_validation(self, logs: Mapping[str, Any]) -> None:
        """End a validation, with the losses and metrics of all ranks."""
        self._list.on_test_end(_numbers(self._run.named(logs)))

    def end_epoch(self, logs: Mapping[str, Any]) -> None:
        """End an epoch, with the losses and metrics of all ranks."""
        self._epoch_logs = _numbers(self._run.named(logs))
        self._list.on_epoch_end(self._run.position.epoch, self._epoch_logs)

    def end(self) -> None:
        """End a training run that is complete, with the logs of its last epoch, as Keras does."""
        if self._model is not None:
            self._list.on_train_end(self._epoch_logs)


def _numbers(logs: Mapping[str, Any]) -> dict[str, float]:
    return {name: float(value) for name, value in logs.items() if not isinstance(value, str)}


def _has_batch_hook(callback: keras.callbacks.Callback) -> bool:
    """Return whether a callback's class or object replaces a hook for single batches."""
    plain = keras.callbacks.Callback
    return any(
        name in vars(callback) or getattr(type(callback), name) is not getattr(plain, name)
        for name in _BATCH_HOOKS
    )
