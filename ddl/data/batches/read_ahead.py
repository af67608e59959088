"""Computes results ahead in threads: in order, with a bound on memory, and stoppable at any moment."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from typing import Generic, TypeVar

_Task = TypeVar("_Task")
_Result = TypeVar("_Result")


class ReadAhead(Generic[_Task, _Result]):
    """An iterator over `work(task)` for each task, in the order of the tasks.

        results = ReadAhead(read, range(100), threads=2, ahead=8)

    One thread takes results. Any thread may call `close`, which ends the iterator. The first failure, in order, is
    raised in place of its result and ends the iterator. Tasks may be unlimited.
    """

    def __init__(
        self, work: Callable[[_Task], _Result], tasks: Iterable[_Task], threads: int, ahead: int
    ) -> None:
        """Set up; the first `next` starts the work.

        Args:
            work: called in the threads, several at once.
            tasks: drawn by the thread that takes the results.
            threads: number of threads.
            ahead: maximum number of results in work or waiting; bounds the memory.
        """
        if threads < 1 or ahead < 1:
            raise ValueError(
                f"Received: threads={threads}, ahead={ahead}. Expected: 1 or more of each."
            )
        self._work, self._tasks, self._ahead = work, iter(tasks), ahead
        # Not daemon threads: one that is inside HDF5 when the process exits would crash it.
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="ddl-data")
        self._pending: deque[Future[_Result]] = deque()
        self._closed = threading.Event()

    def __iter__(self) -> Iterator[_Result]:
        """Return itself."""
        return self

    def __next__(self) -> _Result:
        """Wait for the next result."""
        try:
            self._hand_out()
            if self._pending and not self._closed.is_set():
                return self._pending.popleft().result()
        except CancelledError:
            raise StopIteration from None
        except BaseException:
            self.close()
            raise
        self.close()
        raise StopIteration

    def close(self) -> None:
        """Cancel waiting tasks and wait for those in work. Closing twice is allowed."""
        self._closed.set()
        self._pool.shutdown(wait=True, cancel_futures=True)

    def __del__(self) -> None:
        """Stop the threads if `close` was not called."""
        if hasattr(self, "_pool"):
            self._pool.shutdown(wait=False, cancel_futures=True)

    def _hand_out(self) -> None:
        """Submit tasks to the threads, up to the bound."""
        while len(self._pending) < self._ahead and not self._closed.is_set():
            try:
                task = next(self._tasks)
            except StopIteration:
                return
            try:
                self._pending.append(self._pool.submit(self._work, task))
            except RuntimeError:  # closed meanwhile, or Python is exiting
                self._closed.set()
