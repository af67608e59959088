"""Start real ranks from a test, and never hang. Tests that only need ranks, and no start, use `tests.ranks`.

    from tests.launch import run_ranks

    result = run_ranks("tests/distributed/runtime_program.py", ranks=2, launcher="horovodrun-gloo")
    assert result.returncode == 0, result.output

`mpirun` and `horovodrun` are looked for beside the running Python first, then on PATH. Where they or Horovod
are missing the test is skipped with the reason; with CI=true it fails, so that nothing is skipped in silence.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

REPOSITORY = Path(__file__).resolve().parents[1]
LAUNCHERS = ("mpirun", "horovodrun", "horovodrun-mpi", "horovodrun-gloo", "none")

_MARK = "DDL_TEST_LAUNCH"  # every process of a launch inherits it, so that none can hide
_LINGER_S = 3.0  # ranks may end a little after their launcher
# A job that this process itself belongs to, or has been by `init`, must not leak into the jobs that it starts.
_OUTER_JOB = (
    *("OMPI_COMM_", "OMPI_MCA_ess", "OMPI_MCA_orte", "OMPI_MCA_pmix", "PMIX_", "PMI_"),
    *("OMPI_MCA_mpi_yield", "HOROVOD_", "TF_NUM_"),
)


@dataclass(frozen=True)
class Result:
    """How a launch ended.

    Attributes:
        returncode: the launcher's; negative for a signal, -9 after a time-out.
        output: stdout and stderr of the launcher and of all ranks, in the order of arrival.
        seconds: wall time.
        timed_out: whether it was ended from outside; `output` then says so in its last line.
        left_behind: processes of the launch that outlived the launcher by 3 s (they were killed).
    """

    returncode: int
    output: str
    seconds: float
    timed_out: bool = False
    left_behind: tuple[str, ...] = ()


class Job:
    """A launch that is under way, which a test may watch and interfere with. Each of its processes ends with `wait`.

    Each rank gets one thread, unless `env` sets OMP_NUM_THREADS. The working directory is the repository, whose
    packages (`ddl`, `tests`) can be imported. The launcher leads a process group of its own, as on a terminal.
    """

    def __init__(
        self,
        script_or_args: str | Path | Sequence[str | Path],
        ranks: int,
        launcher: str = "mpirun",
        env: Mapping[str, str] | None = None,
        folder: Path = REPOSITORY,
    ) -> None:
        """Start it; the arguments are those of `run_ranks`."""
        single = isinstance(script_or_args, str | Path)
        program = [str(a) for a in ([script_or_args] if single else script_or_args)]
        self.command = [*_launch_command(launcher, ranks), sys.executable, *program]
        self._program, self._mark = program, uuid.uuid4().hex
        # Not a pipe: a process left behind cannot keep it open.
        self._output = tempfile.TemporaryFile()  # noqa: SIM115 (open as long as the job)
        self._started = time.monotonic()
        self.process = subprocess.Popen(
            self.command,
            stdin=subprocess.DEVNULL,
            stdout=self._output,
            stderr=subprocess.STDOUT,
            cwd=folder,
            env=_environment(self._mark, env),
            start_new_session=True,
        )

    @property
    def output(self) -> str:
        """What has been printed so far."""
        return os.pread(self._output.fileno(), 1 << 26, 0).decode(errors="replace")

    def seconds(self) -> float:
        """Return how long ago it was started."""
        return time.monotonic() - self._started

    def wait_until(self, happened: Callable[[], bool], timeout_s: float = 120.0) -> bool:
        """Wait for something, and return whether it came before the launcher's end or the time-out."""
        deadline = time.monotonic() + timeout_s
        while not happened():
            if self.process.poll() is not None or time.monotonic() > deadline:
                return happened()
            time.sleep(0.001)
        return True

    def wait_for(self, pattern: str, timeout_s: float = 120.0) -> None:
        """Wait until the output matches a regular expression."""
        found = self.wait_until(lambda: re.search(pattern, self.output) is not None, timeout_s)
        assert found, f"{pattern!r} never came:\n{self.output}"

    def ranks(self) -> dict[int, psutil.Process]:
        """Return the processes of the program that are there now, by rank."""
        found = {}
        for member in _members(self._mark):
            with contextlib.suppress(psutil.Error):
                if self._program[0] in member.cmdline()[:2]:
                    env = member.environ()
                    names = ("HOROVOD_RANK", "OMPI_COMM_WORLD_RANK")
                    found[int(next((env[name] for name in names if name in env), 0))] = member
        return found

    def wait(self, timeout_s: float = 120.0) -> Result:
        """Wait for its end, clean up, and return how it ended."""
        try:
            self.process.wait(max(0.0, timeout_s - self.seconds()))
            timed_out = False
        except subprocess.TimeoutExpired:
            timed_out = True
        finally:
            seconds = self.seconds()
            left_behind = _end_all(self.process, self._mark, gently=sys.exc_info()[0] is None)
        text = self.output
        self._output.close()
        if timed_out:
            text += f"\ntests.launch: killed after {timeout_s:g} s, still running: {' '.join(self.command)}\n"
            return Result(-9, text, seconds, True)
        return Result(self.process.returncode, text, seconds, False, left_behind)


def run_ranks(
    script_or_args: str | Path | Sequence[str | Path],
    ranks: int,
    launcher: str = "mpirun",
    timeout_s: float = 120.0,
    env: Mapping[str, str] | None = None,
    folder: Path = REPOSITORY,
) -> Result:
    """Run a Python program on `ranks` ranks of this machine as a `Job`, and return how it ended.

    Args:
        script_or_args: a script, or what follows `python`: `["-m", "tests.ranks.rank", folder]`.
        ranks: how many; more than there are cores is fine.
        launcher: "mpirun", "horovodrun" (as a user types it, without a flag), "horovodrun-mpi", "horovodrun-gloo", or
            "none" for a plain process (one rank).
        timeout_s: after this long every process of the launch is killed.
        env: variables on top of this process's own.
        folder: the working directory.
    """
    return Job(script_or_args, ranks, launcher, env, folder).wait(timeout_s)


def find_program(name: str) -> str | None:
    """Return the path of a launcher: beside the running Python first, then on PATH."""
    beside = Path(sys.executable).parent / name
    return str(beside) if os.access(beside, os.X_OK) else shutil.which(name)


def missing(launcher: str) -> str | None:
    """Return why `launcher` cannot be used here, or None where it can."""
    if launcher not in LAUNCHERS:
        known = ", ".join(LAUNCHERS)
        raise ValueError(f"Unknown launcher. Received: {launcher!r}. Expected one of: {known}.")
    if launcher == "none":
        return None
    if importlib.util.find_spec("horovod") is None:
        return f"Horovod is not installed for {sys.executable}: run ./setup.sh"
    for program in {"mpirun": ["mpirun"], "horovodrun-mpi": ["mpirun", "horovodrun"]}.get(
        launcher, ["horovodrun"]
    ):
        if find_program(program) is None:
            return f"there is no {program} beside {sys.executable} or on PATH: run ./setup.sh"
    return None


def require(launcher: str) -> None:
    """Skip the running test where `launcher` is missing; fail it with CI=true."""
    reason = missing(launcher)
    if reason is None:
        return
    if os.environ.get("CI", "").lower() in ("1", "true"):
        pytest.fail(f"CI=true, so nothing is skipped: {reason}", pytrace=False)
    pytest.skip(reason)


def _launch_command(launcher: str, ranks: int) -> list[str]:
    require(launcher)
    if launcher == "none":
        if ranks != 1:
            raise ValueError(f"Received: ranks={ranks} without a launcher. Expected: 1.")
        return []
    cores = (
        len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    )
    oversubscribe = ranks > cores
    if launcher == "mpirun":
        # Unbound: tests share the machine with others, and two launches must not fight for core 0.
        flags = ["--bind-to", "none", *(["--oversubscribe"] if oversubscribe else [])]
        return [find_program("mpirun") or "mpirun", "-np", str(ranks), *flags]
    horovodrun = [find_program("horovodrun") or "horovodrun", "-np", str(ranks)]
    if launcher == "horovodrun":
        return horovodrun
    if launcher == "horovodrun-gloo":
        return [*horovodrun, "--gloo"]
    return [*horovodrun, "--mpi", *(["--mpi-args=--oversubscribe"] if oversubscribe else [])]


def _environment(mark: str, extra: Mapping[str, str] | None) -> dict[str, str]:
    env = {name: value for name, value in os.environ.items() if not name.startswith(_OUTER_JOB)}
    if os.geteuid() == 0:
        env |= {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
    env["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{env.get('PATH', '')}"
    paths = [str(REPOSITORY), env.get("PYTHONPATH", "")]
    env["PYTHONPATH"] = os.pathsep.join(path for path in paths if path)
    return env | {"OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1", _MARK: mark} | dict(extra or {})


def _end_all(process: subprocess.Popen[bytes], mark: str, gently: bool = True) -> tuple[str, ...]:
    """End every process of the launch, and return those that were still there 3 s after the launcher's end."""
    if gently and process.poll() is not None:
        deadline = time.monotonic() + _LINGER_S
        while _members(mark) and time.monotonic() < deadline:
            time.sleep(0.05)
    members = _members(mark)
    names = tuple(f"pid {member.pid}" for member in members)
    for member in members:
        _signal(member, signal.SIGTERM)  # mpirun passes it on and cleans up after itself
    _, stubborn = psutil.wait_procs(members, timeout=3)
    for member in [*stubborn, *_members(mark)]:
        _signal(member, signal.SIGKILL)
    process.wait()
    return names


def _members(mark: str) -> list[psutil.Process]:
    """Return the live processes that carry the launch's mark, whatever group or session they moved to."""
    members = []
    for candidate in psutil.process_iter():
        try:
            if (
                candidate.environ().get(_MARK) == mark
                and candidate.status() != psutil.STATUS_ZOMBIE
            ):
                members.append(candidate)
        except psutil.Error:
            continue
    return members


def _signal(member: psutil.Process, number: signal.Signals) -> None:
    with contextlib.suppress(psutil.Error):  # it has ended meanwhile
        member.send_signal(number)
