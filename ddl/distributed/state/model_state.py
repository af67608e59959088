"""Broadcast and comparison of the variables that must be equal on all ranks."""

from __future__ import annotations

import zlib
from typing import Any

import keras
import numpy as np

from ddl.distributed import runtime
from ddl.distributed.gradients.reduction import is_local
from ddl.distributed.state.moving_statistics import local_layers
from ddl.distributed.state.variables import average_variables, broadcast_variables


def shared_variables(model: keras.Model) -> dict[str, keras.Variable]:
    """Return the variables that all ranks share by readable name: weights, moving statistics, optimizer slots.

    The states of random generators are excluded: they differ, so that ranks drop different units.
    """
    named = {
        f"model {variable.path}": variable for variable in model.variables if not _is_seed(variable)
    }
    optimizer = getattr(model, "optimizer", None)
    if optimizer is not None:
        for number, variable in enumerate(optimizer.variables):
            named[f"optimizer {variable.path} #{number}"] = variable
    for variable in outer_slots(model):
        named[f"outer {variable.path}"] = variable
    return named


def private_variables(model: keras.Model) -> dict[str, list[keras.Variable]]:
    """Return by kind the variables that differ between ranks in the middle of an epoch.

    At the end of an epoch `standard_callbacks()` average all of them except the states of random generators.
    """
    moving = {id(v): v for layer in local_layers(model) for v in layer.non_trainable_variables}
    return {
        "seed": [variable for variable in model.variables if _is_seed(variable)],
        "moving": list(moving.values()),
        "accumulator": accumulators(model),
        "slot": own_slots(model),
    }


def own_slots(model: keras.Model) -> list[keras.Variable]:
    """Return the optimizer's variables that stay each rank's own, as with local steps: all but step and rate."""
    outer: Any = getattr(model, "optimizer", None)
    if not is_local(outer) or not outer.built:
        return []
    common = {id(variable) for variable in accumulators(model)}
    for part in (outer, getattr(outer, "inner_optimizer", outer)):
        common |= {id(part._iterations), id(part._learning_rate)}
    return [variable for variable in outer.variables if id(variable) not in common]


def outer_slots(model: keras.Model) -> list[keras.Variable]:
    """Return the variables of the optimizer that averages local steps; none without one."""
    outer = getattr(model, "_ddl_outer", None)
    return [] if outer is None else list(outer.slots)


def keep_private(model: keras.Model, keep: bool = True) -> None:
    """Set whether `broadcast_state` skips `private_variables`, as after a resume in the middle of an epoch."""
    object.__setattr__(model, "_ddl_keeps_private", keep)


def broadcast_state(model: keras.Model, root: int = 0) -> None:
    """Set weights, optimizer state and random seeds of all ranks from rank `root`. All ranks must call it.

        if dist.is_root():
            model.load_weights("start.weights.h5")
        dist.broadcast_state(model)

    An optimizer without slots is built first, so that a checkpoint that only `root` loaded reaches all ranks.

    Raises:
        ValueError: on every rank, if the ranks' models differ. The message names the rank and the variable.
    """
    if runtime.size() == 1:
        return
    build_optimizer(model)
    variables = shared_variables(model)
    _check_structure(variables)
    if getattr(model, "_ddl_keeps_private", False):
        kept = {id(v) for own in private_variables(model).values() for v in own}
        broadcast_variables([v for v in variables.values() if id(v) not in kept], root)
        return
    broadcast_variables(list(variables.values()), root)
    for seed in private_variables(model)["seed"]:
        state = runtime.broadcast(seed.numpy(), root)
        # Each rank gets its own random stream; the root's is unchanged. Rank r adds r times this odd number.
        state[0] = (int(state[0]) + runtime.rank() * 0x9E3779B1) % 2**32
        seed.assign(state)


def build_optimizer(model: keras.Model) -> None:
    """Create the optimizer's slots if it has none."""
    optimizer = getattr(model, "optimizer", None)
    if optimizer is not None and not optimizer.built and model.trainable_variables:
        # Same scope as in Keras, so that the variables get the same paths.
        with keras.name_scope(optimizer.name, caller=optimizer):
            optimizer.build(model.trainable_variables)


def accumulators(model: keras.Model) -> list[keras.Variable]:
    """Return the variables in which `gradient_accumulation_steps` keeps each rank's sum until the update."""
    outer: Any = getattr(model, "optimizer", None)
    optimizer: Any = getattr(outer, "inner_optimizer", outer)
    if not getattr(optimizer, "gradient_accumulation_steps", None) or not optimizer.built:
        return []
    return [variable for variable in optimizer._accumulated_gradients if variable is not None]


def average_accumulators(model: keras.Model) -> None:
    """Set the gradients accumulated since the last update to their mean over ranks. All ranks must call it.

    The update averages over ranks in any case, so its result stays the same. Rank 0 can now save or broadcast its
    copy for all ranks.
    """
    average_variables(accumulators(model))


def find_desync(model: keras.Model) -> str | None:
    """Compare weights, optimizer state, learning rate and step of all ranks. All ranks must call it.

    Returns:
        None if all are equal, else a sentence with the ranks and the first different variable, the same on all ranks.
    """
    if runtime.size() == 1:
        return None
    private = {id(v) for own in private_variables(model).values() for v in own}
    named = {name: v for name, v in shared_variables(model).items() if id(v) not in private}
    checksums = {name: _crc(v.numpy()) for name, v in named.items()}
    optimizer = getattr(model, "optimizer", None)
    if optimizer is not None:
        # A MultiOptimizer has no learning rate; the variables include those of its optimizers.
        learning_rate = keras.ops.convert_to_numpy(getattr(optimizer, "learning_rate", 0.0))
        checksums = {
            "learning rate": _crc(np.asarray(learning_rate, np.float64)),
            "step": int(optimizer.iterations),
            **checksums,
        }
    values = np.array([len(checksums), *checksums.values()], dtype=np.int64)
    digest = _crc(values)
    low, minus_high = runtime.allreduce(np.array([digest, -digest], dtype=np.int64), op="min")
    if low == -minus_high:
        return None
    return describe_desync(list(checksums), runtime.allgather(values[1:].tolist()))


def check_desync(model: keras.Model, when: str) -> None:
    """Check that weights, optimizer state, learning rate and step are equal on all ranks. All ranks must call it.

    Args:
        model: a compiled model.
        when: the time for the message, such as "after batch 100".

    Raises:
        RuntimeError: on every rank, with the rank and the first variable that differ.
    """
    difference = find_desync(model)
    if difference:
        raise RuntimeError(
            f"Desync {when}: {difference}. Expected: equal bits on all ranks. Something changed this rank's "
            "variables or gradients outside the reduction. Resume from the last checkpoint."
        )


def describe_desync(names: list[str], checksums: list[list[int]]) -> str:
    """Return which ranks differ from the others, and in which variable first.

    Args:
        names: names of the variables.
        checksums: one list per rank. The majority's value counts as right; in a tie, rank 0's.
    """
    if len({len(row) for row in checksums}) > 1:
        counts = ", ".join(f"rank {rank}: {len(row)}" for rank, row in enumerate(checksums))
        return f"ranks hold different numbers of variables ({counts})"
    for column, name in enumerate(names):
        values = [row[column] for row in checksums]
        usual = max(values, key=lambda value: (values.count(value), value == values[0]))
        different = [rank for rank, value in enumerate(values) if value != usual]
        if different:
            others = sum(len(set(column)) > 1 for column in zip(*checksums, strict=True)) - 1
            ranks = ", ".join(f"rank {rank}" for rank in different)
            more = f" (and {others} more differ)" if others else ""
            return f"{ranks} differs from the other ranks in {name!r}{more}"
    return "the ranks' common checksum differed, but each variable's checksums are equal"


def _check_structure(variables: dict[str, keras.Variable]) -> None:
    mine = [f"{v.name} {tuple(v.shape)} {v.dtype}" for v in variables.values()]
    digests = runtime.allgather(zlib.crc32("\n".join(mine).encode()))
    if len(set(digests)) == 1:
        return
    everyone: list[list[str]] = runtime.allgather(mine)
    rank = next(rank for rank, digest in enumerate(digests) if digest != digests[0])
    pairs: Any = zip(everyone[0], everyone[rank], strict=False)
    default = f"{len(everyone[0])} variables", f"{len(everyone[rank])} variables"
    expected, received = next((pair for pair in pairs if pair[0] != pair[1]), default)
    raise ValueError(
        f"The models of the ranks differ. Received: {received} on rank {rank}. Expected: {expected}, as on rank 0. "
        "Build the same model and optimizer on every rank."
    )


def _crc(values: np.ndarray) -> int:
    return zlib.crc32(np.ascontiguousarray(values).view(np.uint8).data)


def _is_seed(variable: keras.Variable) -> bool:
    return bool(variable.name == "seed_generator_state")
