"""Which process of a command gets which signal."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ddl.experiments.agent.attempt.stopping import Stopper, targets
from ddl.experiments.agent.node import processes
from tests.experiments.agent.worlds import wait_for

NAMED = f"ddl-{os.getpid():08x}-002-a1"  # tests run beside others on the same machine
OWNER = processes.Owner(NAMED)
RANK = """\
import signal, sys, time
signal.signal(signal.SIGUSR1, lambda *_: sys.exit(75))
print("ready", flush=True)
time.sleep(60)
"""
HOROVODRUN = """\
#!{python}
import os, subprocess, sys
ranks = [
    subprocess.Popen([sys.executable, "rank.py"], env={{**os.environ, "HOROVOD_RANK": str(rank)}})
    for rank in ({ranks})
]
print("launched", flush=True)
[rank.wait() for rank in ranks] or __import__("time").sleep(60)
"""


class Commands:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._started: list[subprocess.Popen[str]] = []
        (folder / "rank.py").write_text(RANK)

    def start(self, *words: str, lines: int = 1) -> processes.Process:
        """Start a command, and return it once it has written some lines."""
        process = subprocess.Popen(
            words,
            cwd=self.folder,
            env={**os.environ, "DDL_ATTEMPT": NAMED},
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self._started.append(process)
        assert process.stdout is not None
        for _ in range(lines):
            process.stdout.readline()
        found = processes.find(process.pid)
        assert found is not None
        return found

    def close(self) -> None:
        for process in self._started:
            for member in processes.of_attempt(OWNER):
                os.kill(member.pid, signal.SIGKILL)
            process.communicate(timeout=10)


@pytest.fixture
def commands(tmp_path: Path) -> Iterator[Commands]:
    commands = Commands(tmp_path)
    try:
        yield commands
    finally:
        commands.close()


@pytest.fixture
def launcher(tmp_path: Path) -> Callable[..., str]:
    """Write a program with a launcher's name."""

    def write(name: str, text: str) -> str:
        path = tmp_path / name
        path.write_text(text)
        path.chmod(0o755)
        return str(path)

    return write


def sent(main: processes.Process, number: int = signal.SIGUSR1) -> list[tuple[str, int]]:
    pairs = targets(main, processes.living(), number)
    return [
        (" ".join(processes.words_of(process.pid)[-2:]), int(number)) for process, number in pairs
    ]


def test_a_plain_program_gets_the_signal_of_its_spec(commands: Commands):
    main = commands.start(sys.executable, "rank.py")
    assert targets(main, processes.living(), signal.SIGINT) == [(main, signal.SIGINT)]


def test_mpirun_gets_usr1_whatever_the_spec_says(commands: Commands, launcher: Callable[..., str]):
    main = commands.start(launcher("mpirun", "#!/bin/sh\nsleep 60 & echo on; wait\n"))
    assert targets(main, processes.living(), signal.SIGTERM) == [(main, signal.SIGUSR1)]


def test_of_horovodrun_only_rank_0_gets_the_signal(
    commands: Commands, launcher: Callable[..., str]
):
    path = launcher("horovodrun", HOROVODRUN.format(python=sys.executable, ranks="1, 0"))
    main = commands.start(path, lines=3)
    found = targets(main, processes.living(), signal.SIGUSR1)
    assert [processes.variable_of(process.pid, "HOROVOD_RANK") for process, _ in found] == ["0"]
    assert [number for _, number in found] == [signal.SIGUSR1]


def test_horovodrun_before_its_ranks_passes_nothing_on(
    commands: Commands, launcher: Callable[..., str]
):
    path = launcher("horovodrun", HOROVODRUN.format(python=sys.executable, ranks=""))
    main = commands.start(path)
    assert targets(main, processes.living(), signal.SIGUSR1) == []


def test_a_shell_and_what_it_runs_get_the_signal(commands: Commands):
    main = commands.start("sh", "-c", f"{sys.executable} rank.py; true")
    assert [number for _, number in sent(main)] == [signal.SIGUSR1, signal.SIGUSR1]
    assert sent(main)[1][0].endswith("rank.py")


def test_a_shell_with_a_trap_passes_the_signal_on_itself(commands: Commands):
    main = commands.start("sh", "-c", f"trap 'exit 0' USR1; {sys.executable} rank.py & wait")
    assert len(sent(main)) == 1


def test_mpirun_inside_a_shell_gets_usr1(commands: Commands, launcher: Callable[..., str]):
    path = launcher("mpirun", "#!/bin/sh\nsleep 60 & echo on; wait\n")
    main = commands.start("sh", "-c", f"{path}; true")
    assert [number for _, number in sent(main, signal.SIGTERM)] == [signal.SIGTERM, signal.SIGUSR1]


def ended_by(commands: Commands, main: processes.Process, grace_s: float) -> Stopper:
    stopper = Stopper(OWNER, main.pid, main.start_ticks, signal.SIGUSR1)
    stopper.begin(grace_s)
    wait_for(stopper.step)
    return stopper


def test_rank_0_ends_and_the_launcher_with_it(commands: Commands, launcher: Callable[..., str]):
    path = launcher("horovodrun", HOROVODRUN.format(python=sys.executable, ranks="0,"))
    main = commands.start(path, lines=2)
    ended_by(commands, main, grace_s=20)
    assert processes.of_attempt(OWNER) == []


def test_without_ranks_the_launcher_ends_after_the_grace(
    commands: Commands, launcher: Callable[..., str]
):
    path = launcher("horovodrun", HOROVODRUN.format(python=sys.executable, ranks=""))
    ended_by(commands, commands.start(path), grace_s=0.1)


def test_a_process_that_left_the_session_is_ended_by_its_environment(commands: Commands):
    main = commands.start("sh", "-c", "setsid sleep 60 & echo on; wait")
    ended_by(commands, main, grace_s=0.1)
    assert processes.of_attempt(OWNER) == []


def test_a_process_that_lost_its_environment_is_ended_by_its_session(commands: Commands):
    main = commands.start("sh", "-c", "env -i sleep 61 & echo on; wait")
    children = [one for one in processes.living().values() if one.session == main.pid]
    assert len(children) == 2
    ended_by(commands, main, grace_s=0.1)
    assert not processes.any_alive(children)


def test_a_session_whose_leader_is_another_process_is_left_alone(commands: Commands):
    main = commands.start(sys.executable, "rank.py")
    stopper = Stopper(processes.Owner(f"{NAMED}9"), main.pid, main.start_ticks - 1, signal.SIGUSR1)
    stopper.begin(0)
    assert stopper.step()
    assert processes.find(main.pid, main.start_ticks)


def test_a_shorter_grace_counts(commands: Commands):
    now = [0.0]
    stopper = Stopper(processes.Owner(f"{NAMED}9"), 0, 0, 0, lambda: now[0])
    stopper.begin(100)
    stopper.begin(10)
    stopper.begin(50)
    now[0] = 11
    assert stopper.is_stopping
    assert stopper.step()
