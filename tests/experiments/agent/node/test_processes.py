"""Who is who among processes, and who gets a signal."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ddl.experiments.agent.node import processes
from tests.experiments.agent.worlds import wait_for

NAMED = f"ddl-{os.getpid():08x}-001-a1"  # tests run beside others on the same machine
OWNER = processes.Owner(NAMED)


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    """Start a process of an attempt."""
    process = subprocess.Popen(["sleep", "60"], env={**os.environ, "DDL_ATTEMPT": NAMED})
    wait_for(lambda: processes.variable_of(process.pid, "DDL_ATTEMPT") == NAMED)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def found(process: subprocess.Popen[bytes]) -> processes.Process:
    known = processes.find(process.pid)
    assert known is not None
    return known


def test_a_name_with_brackets_and_spaces_does_not_shift_the_fields():
    numbers = " ".join(str(number) for number in range(4, 53))
    process = processes.parse_stat(f"42 (a) b (c)) S {numbers}\n")
    assert (process.pid, process.name, process.state) == (42, "a) b (c)", "S")
    assert (process.parent, process.session, process.start_ticks) == (4, 6, 22)
    assert process.cpu_ticks == 14 + 15 + 16 + 17
    assert process.resident_pages == 24


def test_this_process_is_found_and_is_not_gone():
    own = processes.own_identity()
    assert processes.find(os.getpid(), own["start_ticks"]) is not None
    assert not processes.is_gone(own)


def test_a_number_that_was_given_to_another_process_is_gone():
    own = processes.own_identity()
    assert processes.is_gone({**own, "start_ticks": own["start_ticks"] - 1})


def test_another_boot_of_this_host_is_gone():
    assert processes.is_gone({**processes.own_identity(), "boot_id": "another"})


@pytest.mark.parametrize("change", [{"host": "elsewhere"}, {"namespace": "pid:[1]"}])
def test_a_process_elsewhere_is_not_known_to_be_gone(change: dict[str, str]):
    identity = {**processes.own_identity(), **change, "start_ticks": 1}
    assert not processes.is_gone(identity)


def test_a_zombie_is_dead_but_keeps_its_number(sleeper: subprocess.Popen[bytes]):
    ticks = found(sleeper).start_ticks
    sleeper.kill()
    wait_for(lambda: processes.find(sleeper.pid) is None)
    assert processes.exists(sleeper.pid, ticks)
    assert processes.start_of(sleeper.pid) == ticks


def test_a_reused_number_never_gets_a_signal(sleeper: subprocess.Popen[bytes]):
    earlier = found(sleeper)
    later = processes.Process(**{**vars(earlier), "start_ticks": earlier.start_ticks - 1})
    assert not processes.send(later, signal.SIGKILL)
    assert sleeper.poll() is None


def test_a_process_of_another_attempt_never_gets_a_signal(sleeper: subprocess.Popen[bytes]):
    assert not processes.send(found(sleeper), signal.SIGKILL, processes.Owner(f"{NAMED}1"))
    assert sleeper.poll() is None
    assert processes.send(found(sleeper), signal.SIGKILL, OWNER)
    assert sleeper.wait(10) == -signal.SIGKILL


def test_signals_work_without_handles_of_processes(
    sleeper: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(processes, "_handle", lambda pid: None)
    assert processes.send(found(sleeper), signal.SIGKILL, OWNER)
    assert sleeper.wait(10) == -signal.SIGKILL


def test_what_has_ended_gets_no_signal(sleeper: subprocess.Popen[bytes]):
    known = found(sleeper)
    sleeper.kill()
    sleeper.wait()
    assert not processes.send(known, signal.SIGTERM)


def test_processes_of_an_attempt_are_found_by_their_environment(sleeper: subprocess.Popen[bytes]):
    assert [process.pid for process in processes.of_attempt(OWNER)] == [sleeper.pid]
    assert processes.of_attempt(processes.Owner(f"{NAMED}1")) == []


def test_processes_of_a_copied_store_are_not_ours(tmp_path: Path):
    folders = [tmp_path / name / "attempts" / "1" for name in ("original", "copy")]
    for folder in folders:
        folder.mkdir(parents=True)
    (tmp_path / "link").symlink_to("original")
    environ = {**os.environ, "DDL_ATTEMPT": NAMED, "DDL_ATTEMPT_DIR": str(folders[0])}
    with subprocess.Popen(["sleep", "60"], env=environ) as process:
        try:
            wait_for(lambda: processes.variable_of(process.pid, "DDL_ATTEMPT") == NAMED)
            owners = [*folders, tmp_path / "link/attempts/1", tmp_path / "not here", ""]
            found = [processes.Owner(NAMED, str(folder)).owns(process.pid) for folder in owners]
            assert found == [True, False, True, True, True]
        finally:
            process.kill()


def test_a_process_is_never_among_those_that_it_ends():
    code = (
        f"from ddl.experiments.agent.node.processes import Owner, of_attempt; "
        f"print(of_attempt(Owner({NAMED!r})))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "DDL_ATTEMPT": NAMED},
        cwd=Path(__file__).parents[4],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "[]\n"


def test_a_tree_has_the_children_of_children():
    line = "sleep 60 & sleep 60 & echo $! && wait"
    process = subprocess.Popen(
        ["sh", "-c", f"sh -c '{line}'; true"], stdout=subprocess.PIPE, start_new_session=True
    )
    try:
        assert process.stdout is not None
        process.stdout.readline()
        wait_for(lambda: len(processes.family(process.pid)) == 4)
        listed = {member.pid for member in processes.family(process.pid)}
        assert {
            member.pid for member in processes.tree_of(process.pid, processes.living())
        } == listed
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def test_a_trap_is_seen():
    process = subprocess.Popen(
        ["sh", "-c", "trap 'exit 0' USR1; echo on; read x"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        process.stdout.readline()
        assert processes.catches(process.pid, signal.SIGUSR1)
        assert not processes.catches(process.pid, signal.SIGUSR2)
    finally:
        process.kill()
        process.communicate()
