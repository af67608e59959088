"""What `init` changes in Keras itself under several ranks, so that nothing trains apart in silence.

Four methods are wrapped, each where every way of training passes:

- `Model.make_train_function` refuses a model whose optimizer does not reduce, gives all ranks equal weights before
  its first step, makes steps work with uneven batches, and keeps the reduction out of XLA.
- `Model.make_test_function` makes evaluation work with uneven batches.
- `Optimizer.apply` refuses gradients that were not averaged, also in a `GradientTape` loop.
- `LossScaleOptimizer.apply` refuses a reduction that stands behind its decision to skip a step.

Besides, `BatchNormalization(synchronized=True)` takes its statistics over all ranks, in fused operations
(see `batch_norm`).
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable
from typing import Any

import keras

from ddl.distributed import runtime
from ddl.distributed.keras_patches import batch_norm, jit, uneven_batches
from ddl.distributed.keras_patches.optimizer import (
    from_horovod,
    is_distributed,
    lift_loss_scale,
    reducing,
)
from ddl.distributed.state import model_state

logger = logging.getLogger("ddl")

_MEANS = ("sum_over_batch_size", "mean")

_installed = False


def install() -> None:
    """Wrap Keras's methods, once."""
    global _installed
    if _installed:
        return
    _installed = True
    batch_norm.install()
    _wrap(keras.Model, "make_train_function", _before_training)
    _wrap(keras.Model, "make_test_function", _before_testing)
    _wrap(keras.optimizers.LossScaleOptimizer, "apply", _before_scaled_apply)
    _wrap(
        keras.optimizers.Optimizer, "apply", lambda optimizer, *_, **__: _check_applied(optimizer)
    )


def reduces_itself(trained: Any) -> Any:
    """Say that a model's `train_step`, or a loop around an optimizer, reduces gradients by itself; return it.

    Args:
        trained: the model, or the plain optimizer, that is then let be.
    """
    optimizer = getattr(trained, "optimizer", None)
    for part in (trained, optimizer, getattr(optimizer, "inner_optimizer", None)):
        if part is not None:
            object.__setattr__(part, "_ddl_reduces_itself", True)
    return trained


def _wrap(owner: type, name: str, before: Callable[..., None]) -> None:
    original = getattr(owner, name)

    @functools.wraps(original)
    def wrapper(self: Any, *args: Any, **kwargs: Any) -> Any:
        if runtime.size() > 1:
            before(self, *args, **kwargs)
        return original(self, *args, **kwargs)

    setattr(owner, name, wrapper)


def _before_training(model: keras.Model, force: bool = False) -> None:
    if model.train_function is not None and not force:
        return
    if not getattr(model, "_ddl_reduces_itself", False):
        _check_compiled(model.optimizer)
        _check_losses(model)
    lift_loss_scale(model.optimizer)
    original = _original_step(model, "train_step")
    jitted = model.jit_compile or (force and getattr(model.train_step, "_ddl_jitted", False))
    _set_step(
        model, "train_step", _outside_xla(model, original) if jitted else original, train=True
    )
    model.train_step._ddl_jitted = jitted
    if model.built:
        model_state.broadcast_state(model)


def _check_compiled(optimizer: Any) -> None:
    """Refuse an optimizer that would train every rank by itself.

    Raises:
        ValueError: with the remedy.
    """
    inner = getattr(optimizer, "inner_optimizer", optimizer)
    if optimizer is None or is_distributed(optimizer) or is_distributed(inner):
        return
    name = type(optimizer).__name__
    if from_horovod(optimizer) or from_horovod(inner):
        raise ValueError(
            f"Received: a model compiled with Horovod's own Keras wrapper of {name}, which under Keras 3 never reduces "
            "a gradient. Expected: ddl.distributed.DistributedOptimizer(optimizer) around the plain Keras optimizer."
        )
    raise ValueError(
        f"Received: a model compiled with a plain {name} on {runtime.size()} ranks: each would train a model of its "
        f"own. Expected: model.compile(ddl.distributed.DistributedOptimizer({name}(...)), ...), or, to keep the state "
        "of a loaded one, model.optimizer = DistributedOptimizer(model.optimizer)."
    )


def _check_applied(optimizer: Any) -> None:
    """Refuse gradients that no rank has averaged, also in loops and train steps that `fit` knows nothing of.

    Raises:
        ValueError: with the remedy.
    """
    if reducing or is_distributed(optimizer) or getattr(optimizer, "_ddl_reduces_itself", False):
        return
    name = type(optimizer).__name__
    raise ValueError(
        f"Received: gradients for a plain {name} on {runtime.size()} ranks: each would train a model of its own. "
        f"Expected: ddl.distributed.DistributedOptimizer({name}(...)), or reduces_itself(optimizer) where your code "
        "has averaged them, or means to train on one rank."
    )


def _check_losses(model: keras.Model) -> None:
    """Refuse losses whose value over all samples is not the mean of the ranks' values."""
    for loss in keras.tree.flatten(model.loss):
        reduction = getattr(loss, "reduction", _MEANS[0])
        if isinstance(loss, keras.losses.Loss) and reduction not in _MEANS:
            raise ValueError(
                f"Received: a model compiled with {type(loss).__name__}(reduction={reduction!r}) on "
                f"{runtime.size()} ranks, which is no mean over samples. Expected: "
                f"reduction={_MEANS[0]!r}, the default."
            )


def _before_testing(model: keras.Model, force: bool = False) -> None:
    if model.test_function is None or force:
        _set_step(model, "test_step", _original_step(model, "test_step"), train=False)


def _before_scaled_apply(optimizer: Any, *_: Any, **__: Any) -> None:
    if not is_distributed(optimizer) and is_distributed(optimizer.inner_optimizer):
        raise ValueError(
            "Received: LossScaleOptimizer(DistributedOptimizer(...)), in which ranks may differ on skipping a step. "
            "Expected: DistributedOptimizer(LossScaleOptimizer(...))."
        )


def _original_step(model: keras.Model, name: str) -> Callable[[Any], Any]:
    step_method = getattr(model, name)
    original: Callable[[Any], Any] = getattr(step_method, "_ddl_original", step_method)
    return original


def _set_step(
    model: keras.Model, name: str, original: Callable[[Any], Any], *, train: bool
) -> None:
    wrapped = uneven_batches.wrapped(model, original, train=train)
    wrapped._ddl_original = _original_step(model, name)  # type: ignore[attr-defined]
    object.__setattr__(model, name, wrapped)


def _outside_xla(model: keras.Model, original: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """XLA has no kernel for Horovod's operations: compile forward and backward pass alone, or nothing."""
    model.jit_compile = False
    reason = jit.reason_against(model, original)
    if reason is None:
        return jit.train_step(model)
    if runtime.is_root():
        logger.warning("jit_compile is off for this model: %s.", reason)
    return original
