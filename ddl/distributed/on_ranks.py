"""What one rank or all of them do, such that an error of one is an error of all: none is left waiting."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import ddl.distributed as dist

Result = TypeVar("Result")


def on_all(action: Callable[[], Result]) -> Result:
    """Do something on every rank. All ranks must call it; the action must not.

    Raises:
        ValueError: that of a rank, on all ranks: of rank 1, too, where its host alone lacks a file.
    """
    error = None
    results: list[Result] = []
    try:
        results.append(action())
    except ValueError as caught:
        error = str(caught)
    errors = dist.allgather(error)
    for rank, found in enumerate(errors):
        if found is not None:
            raise ValueError(found if all(errors) else f"{found} (This is what rank {rank} met.)")
    return results[0]


def on_root(action: Callable[[], Result]) -> Result:
    """Do something on rank 0 and return what it returned on all. All ranks must call it.

    Raises:
        ValueError: that of rank 0, on all ranks.
    """
    result: Any = None
    error = None
    if dist.is_root():
        try:
            result = action()
        except ValueError as caught:
            error = str(caught)
    error, shared = dist.broadcast((error, result))
    if error is not None:
        raise ValueError(error)
    answer: Result = shared
    return answer
