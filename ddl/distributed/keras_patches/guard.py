"""Wrappers around Keras methods that `init` installs on several ranks, so that no rank silently trains alone.

Four methods are wrapped. Every kind of training loop calls at least one of them:

- `Model.make_train_function` rejects a model whose optimizer does not reduce, gives all ranks equal weights before
  the first step, supports uneven batches, and keeps the reduction outside XLA.
- `Model.make_test_function` supports uneven batches in evaluation.
- `Optimizer.apply` rejects gradients that were not averaged, also in a `GradientTape` loop.
- `LossScaleOptimizer.apply` rejects a reduction that runs after the decision to skip a step.

`BatchNormalization(synchronized=True)` also computes its statistics over all ranks, in fused operations
(see `batch_norm`).
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable
from typing import Any

import keras

from ddl.distributed import runtime
from ddl.distributed.gradients.reduction import is_local
from ddl.distributed.keras_patches import agreed_stop, batch_norm, jit, step_logs, uneven_batches
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
    agreed_stop.install()
    _wrap(keras.Model, "make_train_function", _before_training)
    _wrap(keras.Model, "make_test_function", _before_testing)
    _wrap(keras.optimizers.LossScaleOptimizer, "apply", _before_scaled_apply)
    _wrap(
        keras.optimizers.Optimizer, "apply", lambda optimizer, *_, **__: _check_applied(optimizer)
    )


def reduces_itself(trained: Any) -> Any:
    """Declare that your own code reduces the gradients of a model or optimizer, and return it.

    The checks for plain optimizers then accept it.

        optimizer = dist.reduces_itself(keras.optimizers.Adam())

    Args:
        trained: the model whose `train_step` reduces, or the plain optimizer of a loop that reduces.
    """
    optimizer = getattr(trained, "optimizer", None)
    for part in (trained, optimizer, getattr(optimizer, "inner_optimizer", None)):
        if part is not None:
            object.__setattr__(part, "_ddl_reduces_itself", True)
    return trained


def use_train_step(model: keras.Model, step: Callable[[Any], Any]) -> None:
    """Make `model.train_step` a step that computes what its own one does. On several ranks it gets the same wrappers.

    Args:
        model: after its `make_train_function`, which keeps the train function that it has made.
        step: a function of a batch that returns logs.
    """
    if runtime.size() > 1:
        _set_step(model, "train_step", step, train=True)
        return
    step._ddl_original = original_step(model)  # type: ignore[attr-defined]
    object.__setattr__(model, "train_step", step)


def original_step(model: keras.Model, name: str = "train_step") -> Callable[[Any], Any]:
    """Return the model's own train or test step, without wrappers."""
    step_method = getattr(model, name)
    original: Callable[[Any], Any] = getattr(step_method, "_ddl_original", step_method)
    return original


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
        _check_compiled(model.optimizer, is_used=type(model).train_step is keras.Model.train_step)
        _check_losses(model)
    _check_local(model)
    lift_loss_scale(model.optimizer)
    original = original_step(model, "train_step")
    jitted = model.jit_compile or (force and getattr(model.train_step, "_ddl_jitted", False))
    _set_step(
        model, "train_step", _outside_xla(model, original) if jitted else original, train=True
    )
    model.train_step._ddl_jitted = jitted
    if model.built:
        model_state.broadcast_state(model)


def _check_compiled(optimizer: Any, is_used: bool) -> None:
    """Check that the compiled optimizer averages gradients over ranks.

    Args:
        optimizer: of a compiled model.
        is_used: whether Keras's own train_step uses it. A train_step of the user's own may have other optimizers, as in
            Keras's guide of GANs; `_check_applied` checks those that it uses.

    Raises:
        ValueError: if it does not.
    """
    inner = getattr(optimizer, "inner_optimizer", optimizer)
    if optimizer is None or is_distributed(optimizer) or is_distributed(inner):
        return
    name = type(optimizer).__name__
    if from_horovod(optimizer) or from_horovod(inner):
        raise ValueError(
            f"Received: a model compiled with Horovod's own Keras wrapper of {name}, which never reduces gradients "
            "under Keras 3. Expected: ddl.distributed.DistributedOptimizer(optimizer) around the plain Keras optimizer."
        )
    if not is_used:
        return
    raise ValueError(
        f"Received: a model compiled with a plain {name} on {runtime.size()} ranks: each rank would train its own "
        f"model. Expected: model.compile(ddl.distributed.DistributedOptimizer({name}(...)), ...), or, to keep a loaded "
        "optimizer's state, model.optimizer = DistributedOptimizer(model.optimizer)."
    )


def _check_local(model: keras.Model) -> None:
    """Check that something averages the weights of a model whose optimizer applies each rank's own gradients."""
    if not is_local(model.optimizer):
        return
    if getattr(model, "_ddl_outer", None) is None:
        raise ValueError(
            f"Received: a model with an optimizer for local steps on {runtime.size()} ranks, and nothing that averages "
            "its weights: each rank would train its own model. Expected: attach_outer(model, Outer(...)) of "
            "ddl.distributed.local_steps before training, or DistributedOptimizer."
        )
    check_alone(model)


def check_alone(model: keras.Model) -> None:
    """Check that each rank can take steps of the model alone.

    Raises:
        ValueError: a layer needs all ranks in every step; with the remedy.
    """
    for layer in model._flatten_layers(include_self=False, recursive=True):
        if getattr(layer, "synchronized", False) and layer.trainable:
            raise ValueError(
                f"Received: layer {layer.name!r}, whose batch normalization spans all ranks (norm=sync), with "
                "parallel=local, whose steps each rank takes alone. Expected: model_option norm=batch, whose "
                "statistics are averaged with the weights; or norm=group."
            )


def _check_applied(optimizer: Any) -> None:
    """Check that applied gradients were averaged over ranks, also in custom loops and train steps.

    Raises:
        ValueError: if they were not.
    """
    if reducing or is_distributed(optimizer) or getattr(optimizer, "_ddl_reduces_itself", False):
        return
    name = type(optimizer).__name__
    raise ValueError(
        f"Received: gradients for a plain {name} on {runtime.size()} ranks: each rank would train its own model. "
        f"Expected: ddl.distributed.DistributedOptimizer({name}(...)), or reduces_itself(optimizer) if your code "
        "averages the gradients itself or trains on one rank on purpose."
    )


def _check_losses(model: keras.Model) -> None:
    """Check that every loss is a mean over samples, so that the mean of the ranks' values is the global value."""
    for loss in keras.tree.flatten(model.loss):
        reduction = getattr(loss, "reduction", _MEANS[0])
        if isinstance(loss, keras.losses.Loss) and reduction not in _MEANS:
            raise ValueError(
                f"Received: a model compiled with {type(loss).__name__}(reduction={reduction!r}) on "
                f"{runtime.size()} ranks, which is not a mean over samples. Expected: "
                f"reduction={_MEANS[0]!r}, the default."
            )


def _before_testing(model: keras.Model, force: bool = False) -> None:
    if model.test_function is None or force:
        _set_step(model, "test_step", original_step(model, "test_step"), train=False)


def _before_scaled_apply(optimizer: Any, *_: Any, **__: Any) -> None:
    if not is_distributed(optimizer) and is_distributed(optimizer.inner_optimizer):
        raise ValueError(
            "Received: LossScaleOptimizer(DistributedOptimizer(...)): some ranks could skip a step that others take. "
            "Expected: DistributedOptimizer(LossScaleOptimizer(...))."
        )


def _set_step(
    model: keras.Model, name: str, original: Callable[[Any], Any], *, train: bool
) -> None:
    wrapped = uneven_batches.wrapped(model, original, train=train)
    wrapped = step_logs.noted(model, wrapped, "train" if train else "test")
    wrapped._ddl_original = original_step(model, name)  # type: ignore[attr-defined]
    object.__setattr__(model, name, wrapped)


def _outside_xla(model: keras.Model, original: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Return a step in which XLA compiles only forward and backward pass, or nothing: it has no Horovod kernels."""
    model.jit_compile = False
    reason = jit.reason_against(model, original)
    if reason is None:
        return jit.train_step(model)
    if runtime.is_root():
        logger.warning("jit_compile is off for this model: %s.", reason)
    return original
