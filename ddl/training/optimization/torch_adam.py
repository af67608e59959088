"""PyTorch's Adam, AdamW and LAMB as Keras optimizers; see `ddl.training.optimization.torch_rules`."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf
from keras import ops

from ddl.training.optimization.torch_rules import TorchRule, length, ratio


class _Adam(TorchRule):
    """Rules with m = beta_1 m + (1 - beta_1) g and v = beta_2 v + (1 - beta_2) g^2, both corrected for their start.

    Args:
        beta_1: fraction of the mean gradient m that is kept at each update.
        beta_2: fraction of the mean square v that is kept at each update.
        epsilon: keeps the quotient finite.
        amsgrad: divide by the largest v so far.
        weight_decay: times the weight: added to the gradient, for torch_adamw and torch_lamb to the quotient.
    """

    own = ("beta_1", "beta_2", "epsilon", "amsgrad")

    def __init__(
        self,
        learning_rate: Any = 0.001,
        *,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        amsgrad: bool = False,
        weight_decay: float = 0.0,
        **shared: Any,
    ) -> None:
        own = {"beta_1": beta_1, "beta_2": beta_2, "epsilon": epsilon, "amsgrad": amsgrad}
        super().__init__(learning_rate, own, {"weight_decay": weight_decay, **shared})

    def _slot_names(self) -> tuple[str, ...]:
        return ("mean", "square", "most") if self.amsgrad else ("mean", "square")

    def adapted(self, gradient: Any, variable: Any) -> Any:
        """Return m' / (sqrt(v') + epsilon), and update m and v."""
        mean = self.follow("mean", variable, gradient, self.beta_1)
        square = self.follow("square", variable, ops.square(gradient), self.beta_2)
        if self.amsgrad:
            slot = self.slot("most", variable)
            square = ops.maximum(tf.convert_to_tensor(slot), square)
            self.assign(slot, square)
        root = ops.sqrt(square) / ops.sqrt(self.correction(self.beta_2, variable.dtype))
        return mean / self.correction(self.beta_1, variable.dtype) / (root + self.epsilon)


@keras.saving.register_keras_serializable(package="ddl")
class TorchAdam(_Adam):
    """m' / (sqrt(v') + epsilon) of g + weight_decay w, times the rate."""

    def _direction(self, gradient: Any, variable: Any) -> Any:
        return self.adapted(self.decayed(gradient, variable), variable)


@keras.saving.register_keras_serializable(package="ddl")
class TorchAdamW(_Adam):
    """TorchAdam whose decay is apart from the gradient: w -= lr weight_decay w."""

    def _direction(self, gradient: Any, variable: Any) -> Any:
        return self.decayed(self.adapted(gradient, variable), variable)


@keras.saving.register_keras_serializable(package="ddl")
class TorchLamb(_Adam):
    """TorchAdamW whose step u is scaled per tensor by |w| / |u|, decay included (You et al. 2019).

    The factor is 1 where |w| or |u| is 0.
    """

    def _direction(self, gradient: Any, variable: Any) -> Any:
        step = self.decayed(self.adapted(gradient, variable), variable)
        weights, whole = length(variable), length(step)
        return ratio(weights, whole, (weights > 0) & (whole > 0)) * step
