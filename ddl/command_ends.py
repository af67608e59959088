"""Importing this lets a command end with one line after Ctrl-C, and in silence when its output is a closed pipe.

A script imports it before all else of ddl, so that Ctrl-C shows no traceback of an import either. It changes nothing
for programs that are no commands of ours, such as the tests, which import scripts as modules.
"""

from __future__ import annotations

import atexit
import os
import sys
from pathlib import Path
from types import TracebackType

# Exit statuses, as shells report a command that SIGINT or SIGPIPE ended.
INTERRUPTED = 130
CLOSED_PIPE = 141


def _report(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Report an exception that nothing caught; bugs keep their traceback."""
    if isinstance(error, KeyboardInterrupt):
        from ddl.distributed.job.launcher import placement

        if placement().rank == 0:
            sys.stderr.write(f"\n{_name()}: stopped by Ctrl-C.\n")
        raise SystemExit(INTERRUPTED)
    if isinstance(error, BrokenPipeError) and _output_is_closed():
        _discard_output()
        raise SystemExit(CLOSED_PIPE)
    import traceback

    from ddl.plain_text import (
        escaped_lines,
    )  # a bug's message may hold the name of a stranger's file

    lines = "".join(traceback.format_exception(kind, error, trace))
    if sys.stderr is not None:
        sys.stderr.write(escaped_lines(lines))


def _flush() -> None:
    """Write what is left for standard output. Python itself would report a closed pipe with a traceback."""
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except BrokenPipeError:
        _discard_output()


def _name() -> str:
    path = Path(sys.argv[0])
    return path.parent.name if path.stem == "__main__" else path.stem  # of `python -m`


def _output_is_closed() -> bool:
    """Return whether standard output is a pipe whose reader has gone; a socket may have broken instead."""
    import select

    poll = select.poll()
    poll.register(1, 0)
    return any(event & select.POLLERR for _, event in poll.poll(0))


def _discard_output() -> None:
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 1)
    os.close(nothing)


def _is_command() -> bool:
    """Return whether this process runs a script, or `python -m` with a module of ddl."""
    spec = sys.modules["__main__"].__spec__
    return spec is None or spec.name.startswith("ddl.")


if _is_command():
    sys.excepthook = _report
    atexit.register(_flush)
