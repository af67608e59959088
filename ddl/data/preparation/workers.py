"""Distributes work over processes that end with this one, even after `kill -9`."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

from ddl.data.batches.read_ahead import ReadAhead
from ddl.data.pictures.picture_file import silence_decoders

_Task = TypeVar("_Task")
_Result = TypeVar("_Result")
_AHEAD = 3  # tasks per process: enough to keep it busy, few enough to stop soon


def run_in_order(
    work: Callable[[_Task], _Result], tasks: Sequence[_Task], processes: int
) -> Generator[_Result, None, None]:
    """Yield the result of each task, in the order given. The first failure, in that order, is raised.

    Raises:
        ValueError: a process died.
    """
    processes = min(processes, len(tasks))
    if processes <= 1:
        yield from map(work, tasks)
        return
    # Spawned, not forked: a child must not inherit threads, HDF5 handles or locks.
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(processes, context, _begin, (os.getpid(),))
    with contextlib.closing(ReadAhead(work, tasks, pool, processes * _AHEAD)) as results:
        try:
            yield from results
        except BrokenProcessPool as error:
            raise ValueError(
                "Received: a worker process that died. Expected: enough memory for each; try fewer workers, and run "
                "the same command again to resume."
            ) from error


def _begin(parent: int) -> None:
    """Set up a worker: it ignores Ctrl-C, which its parent handles, and ends when the parent ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    silence_decoders()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.2)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
