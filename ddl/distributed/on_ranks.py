"""Actions on rank 0 or on all ranks. An error on one rank is raised on all, so that no rank waits forever."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from ddl.distributed import runtime

Result = TypeVar("Result")


def on_all(action: Callable[[], Result]) -> Result:
    """Run an action without collectives on every rank. All ranks must call it.

    Raises:
        ValueError: on all ranks, the first one that a rank raised.
    """
    error = None
    results: list[Result] = []
    try:
        results.append(action())
    except ValueError as caught:
        error = str(caught)
    errors = runtime.allgather(error)
    for rank, message in enumerate(errors):
        if message is not None:
            raise ValueError(message if all(errors) else f"{message} (Raised on rank {rank}.)")
    return results[0]


def on_root(action: Callable[[], Result]) -> Result:
    """Run an action on rank 0, and return its result on all ranks. All ranks must call it.

    Raises:
        ValueError: on all ranks, the one that rank 0 raised.
    """
    result: Any = None
    error = None
    if runtime.is_root():
        try:
            result = action()
        except ValueError as caught:
            error = str(caught)
    error, shared = runtime.broadcast((error, result))
    if error is not None:
        raise ValueError(error)
    answer: Result = shared
    return answer
