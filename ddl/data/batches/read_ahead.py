"""Computes results ahead in threads or processes: in order, with bounded memory, and stoppable at any moment."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import BrokenExecutor, CancelledError, Executor, Future
from typing import Generic, TypeVar

_Task = TypeVar("_Task")
_Result = TypeVar("_Result")


class ReadAhead(Generic[_Task, _Result]):
    """An iterator over `work(task)` for each task, in the order of the tasks.

        results = ReadAhead(read, range(100), ThreadPoolExecutor(2), ahead=8)

    One thread takes results. Any thread may call `close`, which ends the iterator. The first failure, in order, is
    raised in place of its result and ends the iterator. Tasks may be unlimited.
    """

    def __init__(
        self, work: Callable[[_Task], _Result], tasks: Iterable[_Task], pool: Executor, ahead: int
    ) -> None:
        """Set up; the first `next` starts the work.

        Args:
            work: called in the pool, several at once.
            tasks: drawn by the thread that takes the results.
            pool: threads or processes, which are stopped with this iterator.
            ahead: maximum number of results in work or waiting; bounds the memory.
        """
        self._work, self._tasks, self._pool, self._ahead = work, iter(tasks), pool, ahead
        self._pending: deque[Future[_Result]] = deque()
        self._closed = threading.Event()

    def __iter__(self) -> Iterator[_Result]:
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
        """Stop the pool if `close` was not called."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _hand_out(self) -> None:
        """Submit tasks to the pool, up to the bound."""
        while len(self._pending) < self._ahead and not self._closed.is_set():
            try:
                task = next(self._tasks)
            except StopIteration:
                return
            try:
                self._pending.append(self._pool.submit(self._work, task))
            except BrokenExecutor:  # a process died
                raise
            except RuntimeError:  # closed meanwhile, or Python is exiting
                self._closed.set()
