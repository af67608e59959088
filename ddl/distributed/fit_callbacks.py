"""Keras callbacks for `fit` on several ranks. Every rank must pass the same ones.

`standard_callbacks()` returns all of them in the required order. Put them before your own callbacks, so that yours
see the weights and metrics that all ranks share.
"""

from __future__ import annotations

from typing import Any

import keras

from ddl.distributed import runtime
from ddl.distributed.gradients import step_share
from ddl.distributed.keras_patches import step_logs
from ddl.distributed.state import model_state, reduced_metrics
from ddl.distributed.state.moving_statistics import average_moving_statistics


def standard_callbacks(*, check_every_steps: int = 100) -> list[keras.callbacks.Callback]:
    """Return every callback of this module, in the required order.

        model.fit(data, callbacks=[*dist.standard_callbacks(), keras.callbacks.CSVLogger("history.csv")])

    Args:
        check_every_steps: steps between comparisons of the ranks' weights; 0 disables them.
    """
    checks = [CheckDesync(check_every_steps)] if check_every_steps else []
    return [
        BroadcastState(),
        AverageAccumulators(),
        AverageMovingStatistics(),
        ReduceMetrics(),
        *checks,
    ]


class BroadcastState(keras.callbacks.Callback):
    """Start every `fit` from rank `root`'s weights and optimizer state, also if only that rank loaded them."""

    def __init__(self, root: int = 0) -> None:
        super().__init__()
        self.root = root

    def on_train_begin(self, logs: Any = None) -> None:
        _check_equal_steps(runtime.allgather(self.params.get("steps")))
        model_state.broadcast_state(self.model, self.root)
        # Applies to the first start after a resume only.
        model_state.keep_private(self.model, False)


class AverageAccumulators(keras.callbacks.Callback):
    """Average accumulated gradients over ranks at the end of an epoch, so that rank 0 can save them for all.

    It matters only if `gradient_accumulation_steps` does not divide the steps of an epoch.
    """

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        model_state.average_accumulators(self.model)


def _check_equal_steps(steps: list[int | None]) -> None:
    """Check that all ranks take the same number of steps. Otherwise one would wait forever."""
    if len(set(steps)) > 1 and None not in steps:
        counts = ", ".join(f"rank {rank}: {count}" for rank, count in enumerate(steps))
        raise ValueError(
            f"Received: different steps per epoch ({counts}). Expected: the same on every rank. Split each global "
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

    It holds for Keras's steps and for your own `train_step` and `test_step`: the result of a metric is that over all
    samples, and any other value that a step returns is averaged over the ranks. Progress within an epoch shows this
    rank's values. The values at the end of an epoch are global, in any order of callbacks.

    Where a callback stops `fit` on one rank, all ranks stop.

    Raises:
        ValueError: your own step returns a value computed from a metric's result, such as its square root.
    """

    stops_together = True

    def __init__(self) -> None:
        super().__init__()
        self._training = False
        self._kind = "train"

    def on_train_begin(self, logs: Any = None) -> None:
        self._training = True
        self._kind = "train"
        self._install()

    def on_train_end(self, logs: Any = None) -> None:
        self._training = False
        self._remove()

    def on_test_begin(self, logs: Any = None) -> None:
        self._kind = "test"
        self._install()

    def on_test_end(self, logs: Any = None) -> None:
        self._kind = "train"
        if not self._training:
            self._remove()

    def _install(self) -> None:
        """Replace the methods that Keras calls at the end of an epoch; the first one also inside every traced step."""
        import tensorflow as tf

        model = self.model

        def results() -> dict[str, Any]:
            if runtime.size() == 1 or tf.inside_function() or step_share.taking:
                local: dict[str, Any] = type(model).get_metrics_result(model)
                return local
            return reduced_metrics.reduced_results(model)

        def results_or_logs(logs: Any) -> Any:
            found = type(model)._get_metrics_result_or_logs(model, logs)
            if runtime.size() == 1 or found is not logs:
                return found
            return step_logs.reduced_logs(model, logs, self._kind)

        object.__setattr__(model, "get_metrics_result", results)
        object.__setattr__(model, "_get_metrics_result_or_logs", results_or_logs)

    def _remove(self) -> None:
        for name in ("get_metrics_result", "_get_metrics_result_or_logs"):
            self.model.__dict__.pop(name, None)


class CheckDesync(keras.callbacks.Callback):
    """Compare weights, learning rate and step of all ranks every `every_steps` batches and after each epoch.

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
