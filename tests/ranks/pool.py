"""The test's side of the pool: starts jobs, sends them calls, and turns what goes wrong into one readable failure."""

from __future__ import annotations

import atexit
import contextlib
import os
import selectors
import shutil
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from tests.launch import Job
from tests.ranks import wire
from tests.ranks.rank import STACKS_SIGNAL, WITHOUT_DDL
from tests.ranks.report import RankReport, describe

START_TIMEOUT_S = 120.0
GRACE_S = 3.0  # what the other ranks get after one has failed: they may wait for it in a collective
MOST_RANKS = (
    14  # alive at a time: about 0.3 GB of memory of its own each, 0.6 GB with what they share
)
_QUIET = {"TF_CPP_MIN_LOG_LEVEL": "3"}


class RanksFailed(AssertionError):
    """A call failed on a rank. The message has every rank's traceback or stack, and what it printed."""


class Results(list[Any]):
    """What the function returned, by rank; what each rank `printed` meanwhile, and the `seconds` that it took."""

    printed: list[str]
    seconds: float


def call_ranks(
    function: Callable[..., Any] | str,
    *args: Any,
    ranks: int = 2,
    launcher: str = "mpirun",
    env: Mapping[str, str] | None = None,
    timeout_s: float = 120.0,
) -> Results:
    """Call a function on all ranks of a job of the pool, and return their results by rank.

    Every rank starts from a clean state (`tests.ranks.clean`). A job that a call has broken is replaced at the next.

    Args:
        function: at the top level of a module that the ranks import, or "module:function".
        args: for it: None, bool, int, float, str, Path, arrays, and lists and dicts of these, as the results.
        ranks: how many; "none" as `launcher` has one.
        launcher: one of `tests.launch.LAUNCHERS`.
        env: variables that the job has to be started with; a job of its own for each set.
        timeout_s: after this long the job is killed, and the failure shows where each rank was.

    Raises:
        RanksFailed: where any rank raised, died, or did not answer in time.
    """
    __tracebackhide__ = True
    if not isinstance(function, str):
        function = f"{function.__module__}:{function.__qualname__}"
    key = (launcher, ranks, tuple(sorted((env or {}).items())))
    # One job of several ranks at a time: two would only share the same cores. A single process may work beside it.
    with _several if ranks > 1 else contextlib.nullcontext(), _ready_job(key) as job:
        return job.call(function, args, timeout_s)


def call_plain_keras(function: Callable[..., Any] | str, *args: Any) -> Any:
    """Call a function in a process that can import neither `ddl` nor Horovod, and return its result."""
    __tracebackhide__ = True
    how = {"ranks": 1, "launcher": "none", "env": {WITHOUT_DDL: "1"}}
    return call_ranks(function, *args, **how)[0]


def close_all() -> None:
    """End every job."""
    with _registry:
        while _jobs:
            _jobs.popitem()[1].close()


Key = tuple[str, int, tuple[tuple[str, str], ...]]


class PooledJob:
    """A job of ranks that wait for calls."""

    def __init__(self, key: Key) -> None:
        self.launcher, self.size, env = key
        self.broken = self._ended = False
        self._folder = Path(tempfile.mkdtemp(prefix="ddl-ranks-"))
        self._connections: dict[int, socket.socket] = {}
        self.pids: dict[int, int] = {}
        self._listener = socket.socket(socket.AF_UNIX)
        try:
            self._listener.bind(str(self._folder / "socket"))
            self._listener.listen(self.size)
            program = ["-m", "tests.ranks.rank", str(self._folder)]
            self._job = Job(program, self.size, self.launcher, _QUIET | dict(env))
        except BaseException:
            self._forget()
            raise
        try:
            self._connect()
        except BaseException:
            self.close()
            raise

    def call(self, target: str, args: tuple[Any, ...], timeout_s: float) -> Results:
        """Run a function on every rank; see `call_ranks`."""
        __tracebackhide__ = True
        message = wire.encode({"target": target, "args": args})
        reports = {rank: RankReport(rank) for rank in self._connections}
        started = time.monotonic()
        try:
            for rank, connection in self._connections.items():
                (self._folder / f"rank-{rank}.out").unlink(missing_ok=True)  # of the call before
                connection.settimeout(timeout_s)
                with contextlib.suppress(OSError):  # it is gone, which reading tells
                    connection.sendall(message)
            self._collect(reports, started + timeout_s)
            for rank, report in reports.items():
                report.printed = self._text(f"rank-{rank}.out")
            if all(report.state == "returned" for report in reports.values()):
                results = Results(report.result for report in reports.values())
                results.printed = [report.printed for report in reports.values()]
                results.seconds = time.monotonic() - started
                return results
            self.broken = not all(report.failed_in_order() for report in reports.values())
            launcher_output = self._end() if self.broken else ""
        except BaseException:
            self.broken = True
            raise
        raise RanksFailed(describe(target, self.launcher, timeout_s, reports, launcher_output))

    def close(self) -> None:
        """End it: ranks whose connection closes leave the job in good order.

        Raises:
            RanksFailed: where they do not.
        """
        for connection in self._connections.values():
            connection.close()
        result = (
            None if self._ended else self._job.wait(0 if self.broken else self._job.seconds() + 20)
        )
        self._forget()
        if result is not None and not self.broken and (result.returncode or result.left_behind):
            raise RanksFailed(
                f"A job of the pool ended badly ({self.launcher}, {self.size} ranks): status {result.returncode}, left "
                f"behind: {result.left_behind}. Its output:\n{result.output}"
            )

    def _connect(self) -> None:
        deadline = time.monotonic() + START_TIMEOUT_S
        self._listener.settimeout(0.1)
        while len(self._connections) < self.size:
            with contextlib.suppress(TimeoutError):
                connection, _ = self._listener.accept()
                connection.settimeout(START_TIMEOUT_S)
                hello = wire.receive(connection)
                self._connections[hello["rank"]] = connection
                self.pids[hello["rank"]] = hello["pid"]
            if self._job.process.poll() is not None or time.monotonic() > deadline:
                self.broken = True
                missing = sorted(set(range(self.size)) - set(self._connections))
                raise RanksFailed(
                    f"A job of the pool did not start ({self.launcher}, {self.size} ranks): no sign of rank(s) "
                    f"{missing} after {self._job.seconds():.0f} s. Its output:\n{self._job.output}"
                )
        self._connections = dict(sorted(self._connections.items()))

    def _collect(self, reports: dict[int, RankReport], deadline: float) -> None:
        """Wait for every rank's answer, or until the deadline, or for a moment after the first failure."""
        with selectors.DefaultSelector() as selector:
            for rank, connection in self._connections.items():
                selector.register(connection, selectors.EVENT_READ, rank)
            while selector.get_map():
                left_s = deadline - time.monotonic()
                ready = selector.select(max(0.0, left_s))
                if not ready and left_s <= 0:
                    break
                for event, _ in ready:
                    selector.unregister(event.fileobj)
                    self._read(reports[event.data], deadline)
                    if reports[event.data].state != "returned":
                        deadline = min(deadline, time.monotonic() + GRACE_S)
        silent = [report for report in reports.values() if report.state == "silent"]
        for report in silent:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pids[report.rank], STACKS_SIGNAL)
        time.sleep(0.5 if silent else 0)
        for report in silent:
            report.text = self._text(f"rank-{report.rank}.stacks")

    def _read(self, report: RankReport, deadline: float) -> None:
        connection = self._connections[report.rank]
        connection.settimeout(max(0.1, deadline - time.monotonic()))
        try:
            answer = wire.receive(connection)
        except TimeoutError:
            return
        except (EOFError, OSError):
            report.state, report.text = "died", self._text(f"rank-{report.rank}.stacks")
            return
        if "error" in answer:
            report.state, report.text = "raised", answer["error"]
        else:
            report.state, report.result = "returned", answer["result"]

    def _end(self) -> str:
        """Kill the job, and return what its launcher has printed."""
        with contextlib.suppress(Exception):
            self._job.wait_until(lambda: False, timeout_s=1.0)  # the launcher says whom it lost
        self._ended = True
        return self._job.wait(0).output

    def _text(self, name: str) -> str:
        path = self._folder / name
        return path.read_text(errors="replace") if path.exists() else ""

    def _forget(self) -> None:
        self._listener.close()
        shutil.rmtree(self._folder, ignore_errors=True)


_jobs: dict[Key, PooledJob] = {}  # the least recently used first
_registry, _several = threading.Lock(), threading.Lock()


@contextlib.contextmanager
def _ready_job(key: Key) -> Iterator[PooledJob]:
    """Lend a job that works. It is out of `_jobs` meanwhile, so that nothing ends it."""
    with _registry:
        job = _jobs.pop(key, None)
        if job is not None and job.broken:
            job.close()
            job = None
        if job is None:
            while _jobs and sum(other.size for other in _jobs.values()) + key[1] > MOST_RANKS:
                _jobs.pop(next(iter(_jobs))).close()
            job = PooledJob(key)
    try:
        yield job
    finally:
        with _registry:
            if key in _jobs:  # another thread has started one meanwhile
                job.close()
            else:
                _jobs[key] = job


atexit.register(close_all)
