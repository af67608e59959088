"""A rank of the pool: joins the job once, then runs one function after the other until the test session ends.

    mpirun -np 2 python -m tests.ranks.rank FOLDER

It waits for a call on a socket of its own, not in a collective, so that an idle job costs no processor time.
"""

from __future__ import annotations

import contextlib
import faulthandler
import importlib
import os
import signal
import socket
import sys
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tests.ranks import wire

WITHOUT_DDL = "DDL_TEST_WITHOUT_DDL"  # in the environment of a job in which neither ddl nor Horovod can be imported
STACKS_SIGNAL = signal.SIGUSR2  # StopRequest has the others


def main(folder: Path) -> None:
    """Join the job, and answer calls until the pool closes the connection."""
    rank = _start()
    from tests.ranks.clean import CleanState

    state = CleanState(rank)
    with (
        (folder / f"rank-{rank}.stacks").open("w") as stacks,
        socket.socket(socket.AF_UNIX) as pool,
    ):
        faulthandler.enable(stacks)
        faulthandler.register(STACKS_SIGNAL, stacks)
        pool.connect(str(folder / "socket"))
        pool.sendall(wire.encode({"rank": rank, "pid": os.getpid()}))
        with contextlib.suppress(EOFError, ConnectionError):
            while True:
                call = wire.receive(pool)
                with _output_to(folder / f"rank-{rank}.out"):
                    answer = _answer(call, state.restore)
                pool.sendall(answer)
        faulthandler.disable()
    if WITHOUT_DDL not in os.environ:
        import ddl.distributed as dist

        dist.shutdown()


def _start() -> int:
    """Join the job, or become a process of plain Keras; return the rank."""
    if WITHOUT_DDL in os.environ:
        sys.modules["ddl"] = sys.modules["horovod"] = None  # type: ignore[assignment]
        return 0
    import ddl.distributed as dist

    dist.init()
    return dist.rank()


def _answer(call: dict[str, Any], clean: Callable[[], None]) -> bytes:
    """Run a call; return its result, or its traceback, as a message."""
    try:
        clean()
        return wire.encode({"result": _find(call["target"])(*call["args"])})
    except (Exception, SystemExit):
        return wire.encode({"error": traceback.format_exc()})


def _find(target: str) -> Callable[..., Any]:
    """Return the function that `module:function` names."""
    name, _, function = target.partition(":")
    module = importlib.import_module(name)
    if not callable(getattr(module, function, None)):
        known = sorted(
            key for key, value in vars(module).items() if getattr(value, "__module__", "") == name
        )
        raise LookupError(
            f"No such function. Received: {target!r}. Expected one of {name}'s: {', '.join(known)}."
        )
    found: Callable[..., Any] = getattr(module, function)
    return found


@contextlib.contextmanager
def _output_to(path: Path) -> Iterator[None]:
    """Send what this process prints to a file, also what C++ prints."""
    _flush()
    kept = [os.dup(number) for number in (1, 2)]
    with path.open("wb", buffering=0) as file:
        for number in (1, 2):
            os.dup2(file.fileno(), number)
    try:
        yield
    finally:
        _flush()
        for number, copy in zip((1, 2), kept, strict=True):
            os.dup2(copy, number)
            os.close(copy)


def _flush() -> None:
    for stream in (sys.__stdout__, sys.__stderr__):
        if stream is not None:
            stream.flush()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
