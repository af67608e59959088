"""Keras 3 optimizers that average the gradients of all ranks before they use them."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from ddl.distributed import runtime
from ddl.distributed.gradients import compression as wire
from ddl.distributed.gradients import step_share
from ddl.distributed.gradients.reduction import (
    Gradient,
    Reduction,
    agreed_finite,
    share_weighed,
    times_ranks,
)
from ddl.distributed.keras_patches import batch_norm, fused_adam, keras_data
from ddl.distributed.timing.reduction_timer import timed
from ddl.ranges import check_choice


def DistributedOptimizer(  # noqa: N802
    optimizer: keras.optimizers.Optimizer | str,
    *,
    compression: str = "none",
    sparse_as_dense: bool = False,
) -> keras.optimizers.Optimizer:
    """Make an optimizer average its gradients over all ranks, and return it.

    The optimizer itself changes and keeps all it has: its settings, schedule, slots and step. Works in `fit`, in a
    custom `train_step` and in a `GradientTape` loop (`apply_gradients` or `apply`). Clipping, weight decay and
    EMA see the averaged gradients; `gradient_accumulation_steps` reduces once an update; a
    `LossScaleOptimizer` skips a step on all ranks or on none. A model saved with it loads in plain Keras. With one
    rank it computes what it always did, to rounding: Adam and batch normalization by fused operations.

    Args:
        optimizer: any Keras 3 optimizer, or its name.
        compression: "none", "fp16" or "bf16": what travels in place of float32.
        sparse_as_dense: make the sparse gradients of embeddings dense before they are reduced.

    Raises:
        ValueError: for an optimizer or an option that cannot work.
    """
    if isinstance(optimizer, str):
        optimizer = keras.optimizers.get(optimizer)
    runtime.require_init()
    _check(optimizer, compression)
    use_fused_operations()
    keras_data.install()
    reduction = Reduction(compression, sparse_as_dense)
    if isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
        inner = optimizer.inner_optimizer
        if is_distributed(inner):
            reduction = inner._ddl_reduction
            _set_class(inner, type(inner)._ddl_base)
        if inner.gradient_accumulation_steps:
            _distribute(inner, _OnUpdate, reduction)
        return _distribute(optimizer, _OutsideLossScale, reduction)
    return _distribute(optimizer, _OnApply, reduction)


def use_fused_operations() -> None:
    """Make Keras's batch normalization and Adam take TensorFlow's fused operations, in all of the process."""
    batch_norm.install()
    fused_adam.install()


def is_distributed(optimizer: Any) -> bool:
    """Return whether the optimizer averages its gradients over ranks."""
    return issubclass(type(optimizer), _Distributed)


def lift_loss_scale(optimizer: Any) -> None:
    """Move the reduction of an inner optimizer out to the loss scale that was put around it.

    `compile` wraps optimizers in a `LossScaleOptimizer` under the policy mixed_float16. It decides whether to skip a
    step from the gradients that it sees: they must be reduced before, or ranks decide differently.
    """
    scaled = isinstance(optimizer, keras.optimizers.LossScaleOptimizer)
    if scaled and not is_distributed(optimizer) and is_distributed(optimizer.inner_optimizer):
        DistributedOptimizer(optimizer)


reducing = step_share.Block()
"""Where an optimizer that has averaged its gradients calls plain ones inside itself."""


class _Distributed:
    """What the classes below share. Stands before the user's class in the order of methods."""

    _ddl_base: type
    _ddl_reduction = Reduction()  # also of a copy made by `from_config`

    @property  # type: ignore[misc]
    def __class__(self) -> type:
        # Keras writes `obj.__class__` into what it saves: a saved model names the plain optimizer.
        return type(self)._ddl_base

    def scale_loss(self, loss: tf.Tensor) -> tf.Tensor:
        share = step_share.current()
        # Elsewhere gradients are weighed: then the backward pass need not wait for the share, which comes from all.
        if share is not None and share.spans_ranks and runtime.size() > 1:
            share.in_loss = True
            own = tf.convert_to_tensor(loss)
            loss = timed([own], lambda: step_share.weighed(own, share.share))
        return super().scale_loss(loss)  # type: ignore[misc]


class _OnApply(_Distributed):
    """A plain optimizer: average when gradients come in, or once an update when they accumulate."""

    def apply(self, grads: Sequence[Gradient], trainable_variables: Any = None) -> None:
        if runtime.size() > 1:
            _check_variables(trainable_variables)
            grads = share_weighed(grads)
            if not self.gradient_accumulation_steps:  # type: ignore[attr-defined]
                grads = self._ddl_reduction.average(grads)
        with reducing:
            super().apply(grads, trainable_variables)  # type: ignore[misc]

    def _clip_gradients(self, grads: list[Gradient]) -> list[Gradient]:
        # With accumulation Keras calls this with the sum over micro-batches, once an update.
        if runtime.size() > 1 and self.gradient_accumulation_steps:  # type: ignore[attr-defined]
            grads = self._ddl_reduction.average(grads)
        clipped: list[Gradient] = super()._clip_gradients(grads)  # type: ignore[misc]
        return clipped


class _OnUpdate(_OnApply):
    """An accumulating optimizer inside a loss scale, which has weighed the gradients already."""

    def apply(self, grads: Sequence[Gradient], trainable_variables: Any = None) -> None:
        super(_OnApply, self).apply(grads, trainable_variables)  # type: ignore[misc]


class _OutsideLossScale(_Distributed):
    """A loss scale: every rank must see the same finite or infinite gradients, or they part ways."""

    inner_optimizer: Any

    def scale_loss(self, loss: tf.Tensor) -> tf.Tensor:
        # A rank's mean is over a part of the samples, so each weighs N times what it does in one process: float16
        # would overflow N times earlier. `apply` puts the N back, in the dtype of the variables.
        return super().scale_loss(loss) / runtime.size()

    def apply(self, grads: Sequence[Gradient], trainable_variables: Any = None) -> None:
        if runtime.size() > 1:
            _check_variables(trainable_variables)
            grads = share_weighed(grads)
            if self.inner_optimizer.gradient_accumulation_steps:
                grads = agreed_finite(times_ranks(grads))
            else:
                grads = times_ranks(self._ddl_reduction.average(grads))
        with reducing:
            super().apply(grads, trainable_variables)  # type: ignore[misc]


def _distribute(optimizer: Any, role: type, reduction: Reduction) -> Any:
    _set_class(optimizer, _class_for(type(optimizer), role))  # type: ignore[arg-type]
    object.__setattr__(optimizer, "_ddl_reduction", reduction)
    return optimizer


@functools.cache
def _class_for(base: Any, role: Any) -> type:
    names = {"_ddl_base": base, "__module__": base.__module__, "__doc__": base.__doc__}
    return type(base.__name__, (role, base), names)


def _set_class(optimizer: Any, new: type) -> None:
    # Past the property `__class__` above, and past Keras's own `__setattr__`.
    object.__dict__["__class__"].__set__(optimizer, new)


def _check(optimizer: Any, compression: str) -> None:
    name = f"{type(optimizer).__module__}.{type(optimizer).__name__}"
    check_choice("compression", compression, wire.NAMES)
    if keras.backend.backend() != "tensorflow":
        raise ValueError(
            f"Received: Keras with the {keras.backend.backend()} backend. Expected: tensorflow, which Horovod "
            "is built for. Set KERAS_BACKEND=tensorflow."
        )
    if from_horovod(optimizer):
        raise ValueError(
            f"Received: an optimizer wrapped by Horovod ({name}), which never reduces under Keras 3. "
            "Expected: the plain Keras optimizer."
        )
    if not isinstance(optimizer, keras.optimizers.Optimizer):
        raise ValueError(
            f"Received: {name}. Expected: a Keras 3 optimizer (keras.optimizers.*) or its name."
        )
    if is_distributed(optimizer):
        raise ValueError("Received: an optimizer that is distributed already. Wrap it once.")
    if tf.distribute.has_strategy():
        raise ValueError(
            "Received: an optimizer inside a tf.distribute strategy. Expected: none; the ranks are "
            "the only replicas here."
        )


def from_horovod(optimizer: Any) -> bool:
    """Return whether Horovod's own wrapper made this optimizer's class."""
    return any(base.__module__.startswith("horovod.") for base in type(optimizer).__mro__)


def _check_variables(variables: Any) -> None:
    for variable in variables or ():
        if getattr(variable, "overwrite_with_gradient", False):
            raise ValueError(
                f"Received: a float8 variable ({variable.path}), which takes its gradient as its new value. "
                "Expected: float32, bfloat16 or float16. float8 training cannot be averaged over ranks."
            )
