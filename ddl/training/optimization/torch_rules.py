"""PyTorch's optimizers as Keras optimizers, for runs that must follow its formulas where Keras's differ.

The learning rate is outside every buffer, so that a buffer does not keep a rate that has changed. `weight_decay` is
added to the gradient (L2), except in TorchAdamW and TorchLamb, and `epsilon` stands outside the root. Clipping comes
before the decay. w is a weight, g its gradient, lr the learning rate and t the number of the update, from 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import keras
import tensorflow as tf
from keras import ops


class TorchRule(keras.optimizers.Optimizer):
    """A rule with `own` options, whose weight decay is a part of the gradient."""

    own: ClassVar[tuple[str, ...]] = ()

    def __init__(self, learning_rate: Any, own: dict[str, Any], shared: dict[str, Any]) -> None:
        super().__init__(learning_rate=learning_rate, **shared)
        for name, value in own.items():
            setattr(self, name, value)

    def build(self, variables: Sequence[keras.Variable]) -> None:
        """Create the slots."""
        if self.built:
            return
        super().build(variables)
        for name in self._slot_names():
            setattr(self, f"_slots_{name}", self.add_optimizer_variables(variables, name))

    def _slot_names(self) -> tuple[str, ...]:
        return ()

    def slot(self, name: str, variable: Any) -> Any:
        """Return a slot of a weight."""
        return getattr(self, f"_slots_{name}")[self._get_variable_index(variable)]

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Update a weight and its slots."""
        gradient = tf.cast(tf.convert_to_tensor(gradient), variable.dtype)
        rate = ops.cast(learning_rate, variable.dtype)
        self.assign_sub(variable, rate * self._direction(gradient, variable))

    def _direction(self, gradient: Any, variable: Any) -> Any:
        """Return what the rate multiplies, and update the slots."""
        raise NotImplementedError

    def _apply_weight_decay(self, variables: Any) -> None:
        """Do nothing: a rule adds the decay to the gradient."""

    def decay_of(self, variable: Any) -> float:
        """Return the weight decay of a weight."""
        return float(self.weight_decay) if self._use_weight_decay(variable) else 0.0

    def decayed(self, gradient: Any, variable: Any) -> Any:
        """Return g + weight_decay w."""
        decay = self.decay_of(variable)
        return gradient + decay * tf.convert_to_tensor(variable) if decay else gradient

    def correction(self, beta: float, dtype: Any) -> Any:
        """Return 1 - beta^t, computed in float64: 1 - 0.999 has four digits in float32."""
        step = tf.cast(self.iterations + 1, tf.float64)
        return tf.cast(1 - tf.constant(beta, tf.float64) ** step, dtype)

    def follow(self, name: str, variable: Any, value: Any, rate: float) -> Any:
        """Move a slot towards a value: rate slot + (1 - rate) value. Return it."""
        slot = self.slot(name, variable)
        new = rate * tf.convert_to_tensor(slot) + (1 - rate) * value
        self.assign(slot, new)
        return new

    def get_config(self) -> dict[str, Any]:
        """Return the arguments for `from_config`."""
        return {**super().get_config(), **{name: getattr(self, name) for name in self.own}}


class _Momentum(TorchRule):
    """Rules with a buffer v = momentum v + (1 - dampening) d of directions d, which starts as the first d."""

    own: ClassVar[tuple[str, ...]] = ("momentum", "dampening", "nesterov")

    def _slot_names(self) -> tuple[str, ...]:
        return ("momentum",) if self.momentum else ()

    def buffered(self, direction: Any, variable: Any) -> Any:
        """Return the direction of a step with momentum."""
        if not self.momentum:
            return direction
        slot = self.slot("momentum", variable)
        buffer = self.momentum * tf.convert_to_tensor(slot) + (1 - self.dampening) * direction
        if self.dampening:
            buffer = ops.where(ops.equal(self.iterations, 0), direction, buffer)
        self.assign(slot, buffer)
        return direction + self.momentum * buffer if self.nesterov else buffer


@keras.saving.register_keras_serializable(package="ddl")
class TorchSGD(_Momentum):
    """v = momentum v + (1 - dampening) (g + weight_decay w), w -= lr v.

    Args:
        momentum: fraction of the buffer that is kept at each update.
        dampening: fraction of each gradient that the buffer leaves out; the first enters whole.
        nesterov: step along g + momentum v in place of v.
        weight_decay: times the weight, added to the gradient.
    """

    def __init__(
        self,
        learning_rate: Any = 0.01,
        *,
        momentum: float = 0.0,
        dampening: float = 0.0,
        nesterov: bool = False,
        weight_decay: float = 0.0,
        **shared: Any,
    ) -> None:
        own = {"momentum": momentum, "dampening": dampening, "nesterov": nesterov}
        super().__init__(learning_rate, own, {"weight_decay": weight_decay, **shared})

    def _direction(self, gradient: Any, variable: Any) -> Any:
        return self.buffered(self.decayed(gradient, variable), variable)


@keras.saving.register_keras_serializable(package="ddl")
class Lars(_Momentum):
    """TorchSGD of gradients that are scaled per tensor, by eta |w| / (|g| + weight_decay |w|) (You et al. 2017).

    The factor is 1 where |w| or |g| is 0, so that a bias can leave its start at 0.

    Args:
        momentum: fraction of the buffer that is kept at each update.
        dampening: fraction of each gradient that the buffer leaves out; the first enters whole.
        nesterov: step along g + momentum v in place of v.
        weight_decay: times the weight, added to the gradient before the scaling.
        eta: trust ratio: the length of a step relative to that of the weights, for a learning rate of 1.
    """

    own = (*_Momentum.own, "eta")

    def __init__(
        self,
        learning_rate: Any = 0.01,
        *,
        momentum: float = 0.0,
        dampening: float = 0.0,
        nesterov: bool = False,
        weight_decay: float = 0.0,
        eta: float = 0.001,
        **shared: Any,
    ) -> None:
        own = {"momentum": momentum, "dampening": dampening, "nesterov": nesterov, "eta": eta}
        super().__init__(learning_rate, own, {"weight_decay": weight_decay, **shared})

    def _direction(self, gradient: Any, variable: Any) -> Any:
        weights, slope = length(variable), length(gradient)
        whole = slope + self.decay_of(variable) * weights
        factor = ratio(self.eta * weights, whole, (weights > 0) & (slope > 0))
        return self.buffered(factor * self.decayed(gradient, variable), variable)


@keras.saving.register_keras_serializable(package="ddl")
class TorchAdagrad(TorchRule):
    """s += g^2, w -= lr / (1 + (t - 1) lr_decay) g / (sqrt(s) + epsilon).

    Args:
        lr_decay: decay of the rate with the number of updates.
        weight_decay: times the weight, added to the gradient.
        initial_accumulator_value: start of the sums of squares.
        epsilon: keeps the quotient finite.
    """

    own = ("lr_decay", "initial_accumulator_value", "epsilon")

    def __init__(
        self,
        learning_rate: Any = 0.01,
        *,
        lr_decay: float = 0.0,
        weight_decay: float = 0.0,
        initial_accumulator_value: float = 0.0,
        epsilon: float = 1e-10,
        **shared: Any,
    ) -> None:
        own = {"lr_decay": lr_decay, "initial_accumulator_value": initial_accumulator_value}
        shared = {"weight_decay": weight_decay, **shared}
        super().__init__(learning_rate, {**own, "epsilon": epsilon}, shared)

    def build(self, variables: Sequence[keras.Variable]) -> None:
        """Create the slots."""
        if self.built:
            return
        super().build(variables)
        for slot in self._slots_sum:
            slot.assign(ops.full_like(slot, self.initial_accumulator_value))

    def _slot_names(self) -> tuple[str, ...]:
        return ("sum",)

    def _direction(self, gradient: Any, variable: Any) -> Any:
        gradient = self.decayed(gradient, variable)
        slot = self.slot("sum", variable)
        squares = tf.convert_to_tensor(slot) + ops.square(gradient)
        self.assign(slot, squares)
        direction = gradient / (ops.sqrt(squares) + self.epsilon)
        if not self.lr_decay:
            return direction
        return direction / (1 + ops.cast(self.iterations, variable.dtype) * self.lr_decay)


@keras.saving.register_keras_serializable(package="ddl")
class TorchRMSprop(TorchRule):
    """v = rho v + (1 - rho) g^2, d = g / (sqrt(v) + epsilon), b = momentum b + d, w -= lr b.

    Args:
        rho: fraction of the mean square that is kept at each update; torch calls it alpha.
        momentum: fraction of the buffer b that is kept; 0 steps along d.
        epsilon: keeps the quotient finite.
        centered: divide by the root of the variance in place of the mean square.
        weight_decay: times the weight, added to the gradient.
    """

    own = ("rho", "momentum", "epsilon", "centered")

    def __init__(
        self,
        learning_rate: Any = 0.01,
        *,
        rho: float = 0.99,
        momentum: float = 0.0,
        epsilon: float = 1e-8,
        centered: bool = False,
        weight_decay: float = 0.0,
        **shared: Any,
    ) -> None:
        own = {"rho": rho, "momentum": momentum, "epsilon": epsilon, "centered": centered}
        super().__init__(learning_rate, own, {"weight_decay": weight_decay, **shared})

    def _slot_names(self) -> tuple[str, ...]:
        chosen = {"square": True, "mean": self.centered, "momentum": bool(self.momentum)}
        return tuple(name for name, is_used in chosen.items() if is_used)

    def _direction(self, gradient: Any, variable: Any) -> Any:
        gradient = self.decayed(gradient, variable)
        square = self.follow("square", variable, ops.square(gradient), self.rho)
        if self.centered:
            mean = self.follow("mean", variable, gradient, self.rho)
            square = ops.maximum(square - ops.square(mean), 0)  # rounding may make it negative
        direction = gradient / (ops.sqrt(square) + self.epsilon)
        if not self.momentum:
            return direction
        slot = self.slot("momentum", variable)
        buffer = self.momentum * tf.convert_to_tensor(slot) + direction
        self.assign(slot, buffer)
        return buffer


def length(values: Any) -> Any:
    """Return the Euclidean norm of a tensor."""
    return ops.sqrt(ops.sum(ops.square(tf.convert_to_tensor(values))))


def ratio(above: Any, below: Any, counts: Any) -> Any:
    """Return a quotient, and 1 where it does not count."""
    return ops.where(
        counts, above / ops.where(counts, below, ops.ones_like(below)), ops.ones_like(below)
    )
