"""What ranks do together around the steps of `fit`, as Keras callbacks. Every rank passes the same ones.

`standard_callbacks()` returns all of them in the order that works: put it before callbacks of your own, so that
these see weights and metrics that all ranks share.
"""

from __future__ import annotations

from typing import Any

import keras

from ddl.distributed import runtime
from ddl.distributed.gradients import step_share
from ddl.distributed.state import model_state, reduced_metrics
from ddl.distributed.state.moving_statistics import average_moving_statistics


def standard_callbacks(*, check_every_steps: int = 100) -> list[keras.callbacks.Callback]:
    """Return every callback of this module, in order. `check_every_steps=0` leaves the desync check out."""
    callbacks = [
        BroadcastState(),
        AverageAccumulators(),
        AverageMovingStatistics(),
        ReduceMetrics(),
    ]
    return [*callbacks, CheckDesync(check_every_steps)] if check_every_steps else callbacks


class BroadcastState(keras.callbacks.Callback):
    """Start every `fit` from rank `root`'s weights and optimizer state, also when only that rank loaded them."""

    def __init__(self, root: int = 0) -> None:
        super().__init__()
        self.root = root

    def on_train_begin(self, logs: Any = None) -> None:
        _check_equal_steps(runtime.allgather(self.params.get("steps")))
        model_state.broadcast_state(self.model, self.root)
        model_state.keep_private(self.model, False)  # a resume has had its effect


class AverageAccumulators(keras.callbacks.Callback):
    """Average, at the end of an epoch, the gradients that wait for an update, so that rank 0 can save them for all.

    Only where `gradient_accumulation_steps` does not divide the steps of an epoch is there anything to do.
    """

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        model_state.average_accumulators(self.model)


def _check_equal_steps(steps: list[int | None]) -> None:
    """Refuse ranks that would take different numbers of steps: one would wait for the others forever."""
    if len(set(steps)) > 1 and None not in steps:
        found = ", ".join(f"rank {rank}: {count}" for rank, count in enumerate(steps))
        raise ValueError(
            f"Received: different steps per epoch ({found}). Expected: the same on every rank. Split each global "
            "batch over the ranks (ddl.data.sharding, ddl.data.batches.pipeline) or set steps_per_epoch."
        )


class AverageMovingStatistics(keras.callbacks.Callback):
    """Average the moving statistics of local batch normalization before they are used or saved."""

    def on_test_begin(self, logs: Any = None) -> None:
        average_moving_statistics(self.model)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        average_moving_statistics(self.model)


class ReduceMetrics(keras.callbacks.Callback):
    """Report losses and metrics over the samples of all ranks, in `fit` and in `evaluate`.

    Progress within an epoch stays that of this rank; what is reported at its end is global, whatever the order of
    the callbacks.
    """

    def __init__(self) -> None:
        super().__init__()
        self._training = False

    def on_train_begin(self, logs: Any = None) -> None:
        self._training = True
        self._install()

    def on_train_end(self, logs: Any = None) -> None:
        self._training = False
        self._remove()

    def on_test_begin(self, logs: Any = None) -> None:
        self._install()

    def on_test_end(self, logs: Any = None) -> None:
        if not self._training:
            self._remove()

    def _install(self) -> None:
        """Answer `get_metrics_result`, which Keras asks at the end of an epoch and inside every traced step."""
        import tensorflow as tf

        model = self.model

        def results() -> dict[str, Any]:
            if runtime.size() == 1 or tf.inside_function() or step_share.taking:
                local: dict[str, Any] = type(model).get_metrics_result(model)
                return local
            return reduced_metrics.reduced_results(model)

        object.__setattr__(model, "get_metrics_result", results)

    def _remove(self) -> None:
        self.model.__dict__.pop("get_metrics_result", None)


class CheckDesync(keras.callbacks.Callback):
    """Compare weights, learning rate and step of all ranks every `every_steps` batches and at the end of an epoch.

    Raises:
        RuntimeError: on every rank, with the rank and the variable that differ first.
    """

    def __init__(self, every_steps: int = 100) -> None:
        super().__init__()
        if every_steps < 1:
            raise ValueError(f"Received: every_steps={every_steps}. Expected: 1 or more.")
        self.every_steps = every_steps
        self._batches = 0

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self._batches += 1
        if self._batches % self.every_steps == 0:
            model_state.check_desync(self.model, f"after batch {batch + 1}")

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        model_state.check_desync(self.model, f"at the end of epoch {epoch + 1}")
