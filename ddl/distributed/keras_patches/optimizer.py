"""Keras 3 optimizers that average gradients over all ranks before they apply them."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from ddl.distributed import runtime
from ddl.distributed.gradients import compression as wire
from ddl.distributed.gradients import step_share
from ddl.distributed.gradients.gradient_norm import GradientNorm
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
    gradient_norm: bool = False,
) -> keras.optimizers.Optimizer:
    """Make an optimizer average its gradients over all ranks, and return it.

        optimizer = dist.DistributedOptimizer(keras.optimizers.Adam(1e-3))
        model.compile(optimizer, "mse")

    The optimizer is changed in place and keeps its settings, schedule, slots and step. It works in `fit`, in a custom
    `train_step` and in a `GradientTape` loop (`apply_gradients` or `apply`). Clipping, weight decay and EMA see the
    averaged gradients. `gradient_accumulation_steps` reduces once per update. A `LossScaleOptimizer` skips a step on
    all ranks or on none. A model saved with it loads in plain Keras. On one rank it computes the same as before, to
    rounding: Adam and batch normalization use fused operations.

    Args:
        optimizer: any Keras 3 optimizer, or its name.
        compression: gradient dtype on the wire: "none" (unchanged), "fp16" or "bf16".
        sparse_as_dense: convert sparse gradients of embeddings to dense ones before the reduction.
        gradient_norm: compute the norm of each update's gradient, which `gradient_norm_of` returns.

    Raises:
        ValueError: for an optimizer or option that is not supported.
    """
    if isinstance(optimizer, str):
        optimizer = keras.optimizers.get(optimizer)
    runtime.require_init()
    _check(optimizer, compression)
    use_fused_operations()
    keras_data.install()
    norm = GradientNorm() if gradient_norm else None
    reduction = Reduction(compression, sparse_as_dense, norm)
    if isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
        inner = optimizer.inner_optimizer
        if is_distributed(inner):
            reduction = inner._ddl_reduction
            _set_class(inner, type(inner)._ddl_base)
        if inner.gradient_accumulation_steps:
            _distribute(inner, _OnUpdate, reduction)
        return _distribute(optimizer, _OutsideLossScale, reduction)
    return _distribute(optimizer, _OnApply, reduction)


def gradient_norm_of(optimizer: Any) -> GradientNorm | None:
    """Return the holder of the norm of each update's gradient, None where the optimizer computes none."""
    part = optimizer if is_distributed(optimizer) else getattr(optimizer, "inner_optimizer", None)
    reduction: Reduction = getattr(part, "_ddl_reduction", Reduction())
    return reduction.norm


def use_fused_operations() -> None:
    """Make Keras's batch normalization and Adam use TensorFlow's fused operations in the whole process."""
    batch_norm.install()
    fused_adam.install()


def is_distributed(optimizer: Any) -> bool:
    """Return whether the optimizer averages its gradients over ranks."""
    return issubclass(type(optimizer), _Distributed)


def lift_loss_scale(optimizer: Any) -> None:
    """Move the reduction from an inner optimizer to the `LossScaleOptimizer` around it.

    Under the policy mixed_float16, `compile` wraps optimizers in a `LossScaleOptimizer`. It decides from its gradients
    whether to skip a step. They must be reduced before that, or ranks decide differently.
    """
    scaled = isinstance(optimizer, keras.optimizers.LossScaleOptimizer)
    if scaled and not is_distributed(optimizer) and is_distributed(optimizer.inner_optimizer):
        DistributedOptimizer(optimizer)


reducing = step_share.Block()
"""True while an optimizer that has averaged its gradients calls the plain optimizers inside it."""


class _Distributed:
    """Base of the classes below. It precedes the user's class in the method resolution order."""

    _ddl_base: type
    _ddl_reduction = Reduction()  # also for a copy made by `from_config`

    @property  # type: ignore[misc]
    def __class__(self) -> type:
        # Keras saves `obj.__class__`: report the plain class, so that a saved model loads without ddl.
        return type(self)._ddl_base

    def scale_loss(self, loss: tf.Tensor) -> tf.Tensor:
        share = step_share.current()
        # Otherwise the gradients are weighted: the backward pass then need not wait for the share, a reduction.
        if share is not None and share.spans_ranks and runtime.size() > 1:
            share.in_loss = True
            own = tf.convert_to_tensor(loss)
            loss = timed([own], lambda: step_share.weighed(own, share.share))
        return super().scale_loss(loss)  # type: ignore[misc]


class _OnApply(_Distributed):
    """A plain optimizer: average in every `apply`, or once per update with gradient accumulation."""

    def apply(self, grads: Sequence[Gradient], trainable_variables: Any = None) -> None:
        if self._ddl_reduction.is_due:
            _check_variables(trainable_variables)
            grads = share_weighed(grads)
            if not self.gradient_accumulation_steps:  # type: ignore[attr-defined]
                grads = self._ddl_reduction.average(grads)
        with reducing:
            super().apply(grads, trainable_variables)  # type: ignore[misc]

    def _clip_gradients(self, grads: list[Gradient]) -> list[Gradient]:
        # Keras calls this once per update, without a loss scale; with accumulation, with the mean over micro-batches.
        if self._ddl_reduction.is_due and self.gradient_accumulation_steps:  # type: ignore[attr-defined]
            grads = self._ddl_reduction.average(grads)
        if self._ddl_reduction.norm is not None:
            self._ddl_reduction.norm.note(grads)
        clipped: list[Gradient] = super()._clip_gradients(grads)  # type: ignore[misc]
        return clipped


class _OnUpdate(_OnApply):
    """An accumulating optimizer inside a loss scale, which has already weighted the gradients."""

    def apply(self, grads: Sequence[Gradient], trainable_variables: Any = None) -> None:
        super(_OnApply, self).apply(grads, trainable_variables)  # type: ignore[misc]


class _OutsideLossScale(_Distributed):
    """A loss scale: all ranks must see the same finite or infinite gradients, so that all skip the same steps."""

    inner_optimizer: Any

    def scale_loss(self, loss: tf.Tensor) -> tf.Tensor:
        # A rank's mean is over a part of the samples, so each sample counts N times as much as in one process and
        # float16 would overflow N times earlier. `apply` multiplies by N again, in the dtype of the variables.
        return super().scale_loss(loss) / (runtime.size() if self._ddl_reduction.is_due else 1)

    def apply(self, grads: Sequence[Gradient], trainable_variables: Any = None) -> None:
        if self._ddl_reduction.is_due:
            _check_variables(trainable_variables)
            grads = share_weighed(grads)
            if self.inner_optimizer.gradient_accumulation_steps:
                grads = agreed_finite(times_ranks(grads))
            else:
                grads = times_ranks(self._ddl_reduction.average(grads))
        norm = self._ddl_reduction.norm
        if norm is not None and not self.inner_optimizer.gradient_accumulation_steps:
            built = self.built  # type: ignore[attr-defined]
            norm.note(grads, self.dynamic_scale if built else self.initial_scale)  # type: ignore[attr-defined]
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
    # Bypasses the property `__class__` above and Keras's own `__setattr__`.
    object.__dict__["__class__"].__set__(optimizer, new)


def _check(optimizer: Any, compression: str) -> None:
    name = f"{type(optimizer).__module__}.{type(optimizer).__name__}"
    check_choice("compression", compression, wire.NAMES)
    if keras.backend.backend() != "tensorflow":
        raise ValueError(
            f"Received: Keras with the {keras.backend.backend()} backend. Expected: tensorflow, for which "
            "Horovod is built. Set KERAS_BACKEND=tensorflow."
        )
    if from_horovod(optimizer):
        raise ValueError(
            f"Received: an optimizer wrapped by Horovod ({name}), which never reduces gradients under Keras 3. "
            "Expected: the plain Keras optimizer."
        )
    if not isinstance(optimizer, keras.optimizers.Optimizer):
        raise ValueError(
            f"Received: {name}. Expected: a Keras 3 optimizer (keras.optimizers.*) or its name."
        )
    if is_distributed(optimizer):
        raise ValueError(
            "Received: an optimizer that is already distributed. Expected: a plain Keras optimizer. Wrap it once."
        )
    if tf.distribute.has_strategy():
        raise ValueError(
            "Received: an optimizer inside a tf.distribute strategy. Expected: no strategy; ddl's ranks are "
            "the only replicas."
        )


def from_horovod(optimizer: Any) -> bool:
    """Return whether Horovod's own wrapper made this optimizer's class."""
    return any(base.__module__.startswith("horovod.") for base in type(optimizer).__mro__)


def _check_variables(variables: Any) -> None:
    for variable in variables or ():
        if getattr(variable, "overwrite_with_gradient", False):
            raise ValueError(
                f"Received: a float8 variable ({variable.path}), whose gradient is its new value. "
                "Expected: float32, bfloat16 or float16. float8 training cannot be averaged over ranks."
            )
