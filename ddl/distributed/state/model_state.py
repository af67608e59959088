"""The variables that must be equal on all ranks: sent from one rank to the others, and compared."""

from __future__ import annotations

import zlib
from typing import Any

import keras
import numpy as np

from ddl.distributed import runtime
from ddl.distributed.state.moving_statistics import local_layers
from ddl.distributed.state.variables import average_variables, broadcast_variables


def shared_variables(model: keras.Model) -> dict[str, keras.Variable]:
    """Return the variables that all ranks share, by a readable name: weights, moving statistics, optimizer slots.

    Left out are the states of random generators, which differ so that ranks drop different units.
    """
    named = {
        f"model {variable.path}": variable for variable in model.variables if not _is_seed(variable)
    }
    optimizer = getattr(model, "optimizer", None)
    if optimizer is not None:
        for number, variable in enumerate(optimizer.variables):
            named[f"optimizer {variable.path} #{number}"] = variable
    return named


def private_variables(model: keras.Model) -> dict[str, list[keras.Variable]]:
    """Return, by kind, what each rank has of its own in the middle of an epoch.

    At its end `standard_callbacks()` average all but the states of random generators.
    """
    moving = {id(v): v for layer in local_layers(model) for v in layer.non_trainable_variables}
    return {
        "seed": [variable for variable in model.variables if _is_seed(variable)],
        "moving": list(moving.values()),
        "accumulator": accumulators(model),
    }


def keep_private(model: keras.Model, keep: bool = True) -> None:
    """Let `broadcast_state` leave what each rank has of its own as it is, as after a resume in mid-epoch, or not."""
    object.__setattr__(model, "_ddl_keeps_private", keep)


def broadcast_state(model: keras.Model, root: int = 0) -> None:
    """Give every rank rank `root`'s weights, optimizer state and random seeds. All ranks must call it.

    An optimizer that has no slots yet is built first, so that a checkpoint loaded on `root` alone reaches all.

    Raises:
        ValueError: on every rank, where the ranks' models differ; it names the rank and the variable.
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
        # A stream of its own for every rank, the root's as it is: rank r continues r times this odd number on.
        state[0] = (int(state[0]) + runtime.rank() * 0x9E3779B1) % 2**32
        seed.assign(state)


def build_optimizer(model: keras.Model) -> None:
    """Create the optimizer's slots, where it has none yet."""
    optimizer = getattr(model, "optimizer", None)
    if optimizer is not None and not optimizer.built and model.trainable_variables:
        # In the scope in which Keras would build it, so that its variables get the same paths.
        with keras.name_scope(optimizer.name, caller=optimizer):
            optimizer.build(model.trainable_variables)


def accumulators(model: keras.Model) -> list[keras.Variable]:
    """Return the variables in which `gradient_accumulation_steps` keeps each rank's own sum until the update."""
    outer: Any = getattr(model, "optimizer", None)
    optimizer: Any = getattr(outer, "inner_optimizer", outer)
    if not getattr(optimizer, "gradient_accumulation_steps", None) or not optimizer.built:
        return []
    return [variable for variable in optimizer._accumulated_gradients if variable is not None]


def average_accumulators(model: keras.Model) -> None:
    """Set what has been accumulated towards the next update to the mean over ranks. All ranks must call it.

    The update averages over ranks anyway, so it stays what it was; but now rank 0's copy says everything, and may be
    saved or broadcast.
    """
    average_variables(accumulators(model))


def find_desync(model: keras.Model) -> str | None:
    """Compare weights, optimizer state, learning rate and step of all ranks. All ranks must call it.

    Returns:
        None where all are equal, else a sentence that names the ranks and the first variable, the same on all.
    """
    if runtime.size() == 1:
        return None
    private = {id(v) for own in private_variables(model).values() for v in own}
    named = {name: v for name, v in shared_variables(model).items() if id(v) not in private}
    sums = {name: _crc(v.numpy()) for name, v in named.items()}
    optimizer = getattr(model, "optimizer", None)
    if optimizer is not None:
        # A MultiOptimizer has no learning rate; those of its parts are among the variables.
        learning_rate = keras.ops.convert_to_numpy(getattr(optimizer, "learning_rate", 0.0))
        sums = {
            "learning rate": _crc(np.asarray(learning_rate, np.float64)),
            "step": int(optimizer.iterations),
            **sums,
        }
    values = np.array([len(sums), *sums.values()], dtype=np.int64)
    digest = _crc(values)
    low, minus_high = runtime.allreduce(np.array([digest, -digest], dtype=np.int64), op="min")
    if low == -minus_high:
        return None
    return describe_desync(list(sums), runtime.allgather(values[1:].tolist()))


def check_desync(model: keras.Model, when: str) -> None:
    """Refuse ranks whose weights, optimizer state, learning rate or step differ. All ranks must call it.

    Args:
        model: compiled.
        when: words for the message, such as "after batch 100".

    Raises:
        RuntimeError: on every rank, with the rank and the variable that differ first.
    """
    difference = find_desync(model)
    if difference:
        raise RuntimeError(
            f"Desync {when}: {difference}. Expected: equal bits on all ranks. Something changed this rank's "
            "variables or gradients outside of the reduction; resume from the last checkpoint."
        )


def describe_desync(names: list[str], sums: list[list[int]]) -> str:
    """Return which ranks differ from the others, and in which variable first.

    Args:
        names: the variables.
        sums: their checksums, one list a rank. The value that most ranks have counts as right; among equals, rank 0's.
    """
    if len({len(row) for row in sums}) > 1:
        counts = ", ".join(f"rank {rank}: {len(row)}" for rank, row in enumerate(sums))
        return f"ranks hold different numbers of variables ({counts})"
    for column, name in enumerate(names):
        values = [row[column] for row in sums]
        usual = max(values, key=lambda value: (values.count(value), value == values[0]))
        different = [rank for rank, value in enumerate(values) if value != usual]
        if different:
            others = sum(len(set(column)) > 1 for column in zip(*sums, strict=True)) - 1
            ranks = ", ".join(f"rank {rank}" for rank in different)
            more = f" (and {others} more differ)" if others else ""
            return f"{ranks} differs from the other ranks in {name!r}{more}"
    return "ranks disagreed on a checksum but agree now"


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
