"""Takes the state of a training run from a model and restores it. All ranks call each function here.

    snapshot = take_snapshot(model, facts)  # at the end of an epoch, after `standard_callbacks()`
    restore_snapshot(model, snapshot)  # rank 0 has read it; the others pass None

On the same number of ranks, every rank gets its own state back, bit for bit, and training continues as if it had not
stopped. On another number, state that differs between ranks is combined: moving statistics and accumulated gradients
are averaged, metric sums are added up, and each rank draws random numbers from its own stream.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import keras
import numpy as np

from ddl.distributed import runtime
from ddl.distributed.on_ranks import on_root
from ddl.distributed.state import model_state
from ddl.distributed.state.variables import assign, broadcast_arrays, gather_bytes, packed, unpacked
from ddl.training.checkpoint.checkpoint_file import Snapshot
from ddl.training.checkpoint.plain_model import layers_of, plain_model

logger = logging.getLogger("ddl")

_Named = dict[str, keras.Variable]
_OUTER = "ddl_outer/"
"""Before the name of a slot of the optimizer that averages local steps."""


def take_snapshot(
    model: keras.Model, facts: Mapping[str, Any], *, mid_epoch: bool = False
) -> Snapshot | None:
    """Copy the state of a training run; training may continue at once. All ranks must call it.

    Args:
        model: functional or sequential.
        facts: JSON values to store with it.
        mid_epoch: whether the epoch has steps left. If so, each rank's statistics, accumulated gradients and metrics
            are gathered. At the end of an epoch `standard_callbacks()` have averaged them, and metrics are reset.

    Returns:
        The snapshot on rank 0, None elsewhere.

    Raises:
        ValueError: on all ranks, if plain Keras could not load the model.
    """
    plain, optimizer = plain_model(model), getattr(model, "optimizer", None)
    # Before its first step an optimizer has no slots, but a restored one has them.
    model_state.build_optimizer(model)
    own = _differing(model, mid_epoch)
    copies = [_copy(variable) for variable in own.values()]
    rows = gather_bytes(packed(copies))
    if not runtime.is_root():
        return None
    private = [dict(zip(own, unpacked(row, copies), strict=True)) for row in rows]
    means = {
        id(variable): combined([rank[name] for rank in private], "mean")
        for name, variable in own.items()
        if name.startswith(("moving/", "accumulator/", "slot/"))
    }

    def value(variable: keras.Variable) -> np.ndarray:
        return means[id(variable)] if id(variable) in means else _copy(variable)

    return Snapshot(
        # Keras's legacy HDF5 writer uses an older form of this text, which cannot express operations (`keras.ops`).
        architecture=plain.to_json(),
        keras_version=keras.__version__,
        weights=[
            (name, [(weight.path, value(weight)) for weight in weights])
            for name, weights in layers_of(plain)
        ],
        optimizer=[(slot.path, value(slot)) for slot in _slots(model)] + _outer(model),
        optimizer_class=type(optimizer).__name__ if optimizer else "",
        optimizer_config=_config(optimizer),
        private=private,
        facts=json.loads(json.dumps(facts)),  # a copy: a history grows while the file is written
    )


def restore_snapshot(model: keras.Model, snapshot: Snapshot | None) -> None:
    """Restore weights, optimizer and each rank's private state. All ranks must call it.

    The next `fit` starts from there. Restore metrics later with `restore_metrics`, because `fit` resets them.

    Args:
        model: compiled as when the snapshot was taken; or not compiled, to restore only the weights.
        snapshot: on rank 0, which sends it to the others. Other ranks' argument is not used.

    Raises:
        ValueError: on all ranks, if model or optimizer differ from the snapshot; names the first difference.
    """
    plain = plain_model(model)
    model_state.build_optimizer(model)

    def check() -> tuple[int, list[str]]:
        if snapshot is None:
            raise ValueError("Received: no snapshot on rank 0. Expected: one.")
        _check_model(model, plain, snapshot)
        _check_private(_own_variables(model, mid_epoch=True), snapshot.private)
        return len(snapshot.private), list(snapshot.private[0])

    ranks, names = on_root(check)
    root = snapshot if runtime.is_root() else None
    own = _own_variables(model, mid_epoch=True)
    if root:
        weights = [weight for _, layer in layers_of(plain) for weight in layer]
        assign(weights, [values for _, layer in root.weights for _, values in layer])
        assign(_slots(model), [values for _, values in _inner_of(root)])
        _restore_outer(model, root)
        seeds = [name for name in own if name in names and name.startswith("seed/")]
        assign([own[name] for name in seeds], [root.private[0][name] for name in seeds])
    model_state.keep_private(model, False)
    model_state.broadcast_state(model)  # also gives each rank its own random stream
    if ranks == runtime.size():
        kept = [name for name in own if name in names and not name.startswith("metric/")]
        _scatter({name: own[name] for name in kept}, root)
    if root and "slot/0" in names and ("slot/0" not in own or ranks != runtime.size()):
        told = "The checkpoint has optimizer slots of %d ranks, of which this run takes the mean."
        logger.info(told, ranks)
    model_state.keep_private(model)  # keeps it when `fit` broadcasts again


def restore_metrics(model: keras.Model, snapshot: Snapshot | None) -> None:
    """Restore the metrics of an interrupted epoch. All ranks must call it.

    Call it after Keras has built and reset the metrics, at the beginning of the resumed epoch. A snapshot taken at the
    end of an epoch has none, so nothing changes.

    Args:
        model: compiled, with built metrics.
        snapshot: on rank 0, as for `restore_snapshot`.

    Raises:
        ValueError: on all ranks, if the metrics differ from the snapshot.
    """
    own = _numbered("metric", model.metrics_variables)

    def check() -> tuple[int, list[str]]:
        if snapshot is None:
            return 0, []
        stored: list[tuple[str, np.ndarray]] = []
        for private in reversed(snapshot.private):
            stored = [pair for pair in private.items() if pair[0].startswith("metric/")]
            if stored:
                _check_equal("metric variable", list(own.items()), stored)
        return len(snapshot.private), [name for name, _ in stored]

    ranks, names = on_root(check)
    root = snapshot if runtime.is_root() else None
    if not names:
        return
    if ranks == runtime.size():
        _scatter(own, root)
        return
    totals = [_copy(variable) for variable in own.values()]
    if root:
        totals = [
            combined([rank[name] for rank in root.private], variable.aggregation)
            for name, variable in own.items()
        ]
    for variable, total in zip(own.values(), broadcast_arrays(totals), strict=True):
        everywhere = runtime.is_root() or variable.aggregation == "mean"
        variable.assign(total if everywhere else np.zeros_like(total))


def combined(values: Sequence[np.ndarray], aggregation: str) -> np.ndarray:
    """Combine the ranks' values of a variable by its aggregation: their mean, their sum, or rank 0's value."""
    if aggregation == "only_first_replica":
        return values[0]
    total = np.zeros(values[0].shape, np.float64)
    for value in values:
        total += value
    return np.asarray(total / len(values) if aggregation == "mean" else total, values[0].dtype)


def _own_variables(model: keras.Model, mid_epoch: bool) -> _Named:
    """Return the variables that may differ between ranks, in the same order on all ranks."""
    kinds = model_state.private_variables(model)
    if not mid_epoch:
        return _numbered("seed", kinds["seed"]) | _numbered("slot", kinds["slot"])
    kinds["metric"] = model.metrics_variables
    return {
        name: variable
        for kind, variables in kinds.items()
        for name, variable in _numbered(kind, variables).items()
    }


def _differing(model: keras.Model, mid_epoch: bool) -> _Named:
    """Return those of `_own_variables` to gather now: gradients only while some wait for an update."""
    optimizer: Any = getattr(model, "optimizer", None)
    optimizer = getattr(optimizer, "inner_optimizer", optimizer)
    steps = getattr(optimizer, "gradient_accumulation_steps", None)
    equal = ["accumulator/"] if not steps or int(optimizer._iterations) % steps == 0 else []
    equal += ["accumulator/", "moving/", "slot/"] if runtime.size() == 1 else []
    own = _own_variables(model, mid_epoch)
    return {name: own[name] for name in own if not name.startswith(tuple(equal))}


def _numbered(kind: str, variables: Iterable[keras.Variable]) -> _Named:
    return {f"{kind}/{number}": variable for number, variable in enumerate(variables)}


def _copy(variable: keras.Variable) -> np.ndarray:
    values: np.ndarray = variable.numpy()
    return values if values.flags.owndata else values.copy()


def _slots(model: keras.Model) -> list[keras.Variable]:
    optimizer = getattr(model, "optimizer", None)
    return list(optimizer.variables) if optimizer is not None else []


def _outer(model: keras.Model) -> list[tuple[str, np.ndarray]]:
    """Return the slots of the optimizer that averages local steps, as a checkpoint stores them."""
    return [(f"{_OUTER}{slot.path}", _copy(slot)) for slot in model_state.outer_slots(model)]


def _inner_of(snapshot: Snapshot) -> list[tuple[str, np.ndarray]]:
    return [pair for pair in snapshot.optimizer if not pair[0].startswith(_OUTER)]


def _restore_outer(model: keras.Model, root: Snapshot) -> None:
    """Restore the outer slots; a run that changes to local steps, or from them, begins without momentum."""
    slots = model_state.outer_slots(model)
    stored = [values for path, values in root.optimizer if path.startswith(_OUTER)]
    if [values.shape for values in stored] == [tuple(slot.shape) for slot in slots]:
        assign(slots, stored)
        return
    assign(slots, [np.zeros(slot.shape, slot.dtype) for slot in slots])
    logger.info("The checkpoint's outer momentum is not that of this run, which begins without.")


def _config(optimizer: Any) -> str:
    try:
        return json.dumps(keras.saving.serialize_keras_object(optimizer)) if optimizer else ""
    except (NotImplementedError, TypeError, ValueError):  # a user-defined schedule
        return ""


def _scatter(own: _Named, root: Snapshot | None) -> None:
    """Send every rank its private part of rank 0's snapshot. All ranks must call it."""
    mine = [_copy(variable) for variable in own.values()]
    for rank in range(runtime.size()):
        # Horovod cannot send to one rank alone, so the other ranks discard what is not theirs.
        values = broadcast_arrays([root.private[rank][name] for name in own] if root else mine)
        if rank == runtime.rank():
            assign(own.values(), values)


def _check_model(model: keras.Model, plain: keras.Model, snapshot: Snapshot) -> None:
    """Refuse a model or an optimizer that differs from the snapshot's."""
    weights = [(weight.path, weight) for _, layer in layers_of(plain) for weight in layer]
    _check_equal("weight", weights, [pair for _, layer in snapshot.weights for pair in layer])
    optimizer = getattr(model, "optimizer", None)
    if optimizer is None:
        return
    if snapshot.optimizer_class != type(optimizer).__name__:
        raise _refusal(f"optimizer {snapshot.optimizer_class}", type(optimizer).__name__)
    # Without the optimizer's name: Keras numbers them per process, so `adam_1` may resume from `adam`.
    slots = [(v.path.rpartition("/")[2], v) for v in optimizer.variables]
    stored = [(path.rpartition("/")[2], values) for path, values in _inner_of(snapshot)]
    _check_equal("slot", slots, stored)


def _check_private(own: _Named, private: Sequence[Mapping[str, np.ndarray]]) -> None:
    """Refuse state of single ranks that does not fit the model, or that differs in form between ranks."""
    for rank, state in enumerate(private):
        if set(state) != set(private[0]):
            raise _refusal(f"other private state for rank {rank}", "the same names on every rank")
        # Metrics are compared later, once they are built.
        names = [name for name in own if name in state and not name.startswith("metric/")]
        _check_equal(
            "private variable", [(n, own[n]) for n in names], [(n, state[n]) for n in names]
        )


def _check_equal(
    what: str,
    expected: Sequence[tuple[str, keras.Variable]],
    received: Sequence[tuple[str, np.ndarray]],
) -> None:
    """Refuse variables whose names, shapes or types differ from the stored ones."""
    for (name, variable), (path, values) in zip(expected, received, strict=False):
        stored = f"{path!r} of shape {values.shape} and type {values.dtype.name}"
        wanted = f"{name!r} of shape {tuple(variable.shape)} and type {variable.dtype}"
        if stored != wanted:
            raise _refusal(f"{what} {stored}", wanted)
    if len(expected) != len(received):
        raise _refusal(f"{len(received)} {what}s", str(len(expected)))


def _refusal(received: str, expected: str) -> ValueError:
    return ValueError(
        f"Received: a checkpoint with {received}. Expected: {expected}, as in this model. Resume with the options "
        "of the run that wrote the checkpoint."
    )
