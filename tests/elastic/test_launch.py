"""The words and the environment of a launch."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from ddl.elastic.launch import MARK, check_launcher, launch_environment, launch_words
from ddl.elastic.script import Script
from ddl.elastic.settings import ElasticSettings

SCRIPT = Script("python3", ("/x/train.py", "--epochs", "3"))
OWN = ["python3", "-u", "/x/train.py", "--epochs", "3"]


def words(ranks: dict[str, int], **flags: object) -> list[str]:
    """Return the words behind the launcher's path."""
    return launch_words(ElasticSettings(**flags), ranks, SCRIPT)[1:]


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OMP_NUM_THREADS", "HOROVOD_CYCLE_TIME"):
        monkeypatch.delenv(name, raising=False)


def test_ranks_of_this_machine_need_no_ssh() -> None:
    found = words({"localhost": 3})
    assert found[:4] == ["-np", "3", "-H", "localhost:3"]
    assert found[-5:] == OWN
    assert "plm_rsh_args" not in found


def test_other_machines_are_reached_by_ssh_that_never_asks_for_a_password() -> None:
    found = words({"a": 2, "b": 1}, ssh_port=12345, interface="eth0")
    assert found[:4] == ["-np", "3", "-H", "a:2,b:1"]
    assert "-p 12345 -o BatchMode=yes -o ConnectTimeout=10" in found
    assert found[found.index("btl_tcp_if_include") + 1] == "eth0"
    assert found[found.index("oob_tcp_if_include") + 1] == "eth0"


def test_threads_and_settings_of_horovod_reach_other_machines(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HOROVOD_CYCLE_TIME", "2")
    monkeypatch.setenv("OMP_NUM_THREADS", "4")
    found = words({"a": 1})
    passed = [found[at + 1] for at, word in enumerate(found) if word == "-x"]
    assert {"HOROVOD_CYCLE_TIME", "OMP_NUM_THREADS", "PATH"} <= set(passed)


def test_further_flags_stand_before_the_program() -> None:
    found = words({"a": 1}, launcher_flags="--mca plm_rsh_agent '/a b/rsh'")
    assert found[-8:-5] == ["--mca", "plm_rsh_agent", "/a b/rsh"]


def test_horovodrun_has_flags_of_its_own() -> None:
    found = words({"a": 2, "b": 1}, launcher="horovodrun", ssh_port=99, interface="eth0")
    assert found == [
        *("-np", "3", "-H", "a:2,b:1", "--ssh-port", "99", "--network-interface", "eth0"),
        *OWN,
    ]


def test_an_outer_job_does_not_leak_into_the_environment() -> None:
    env = launch_environment("m", {"OMPI_COMM_WORLD_RANK": "1", "PMIX_RANK": "1", "HOME": "/h"})
    assert env["HOME"] == "/h"
    assert env[MARK] == "m"
    assert not [name for name in env if name.startswith(("OMPI_COMM", "PMIX"))]


def test_a_launcher_that_is_not_there_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.executable", str(Path("/nowhere/python")))
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(ValueError, match=r"Received: launcher=mpirun.*run ./setup.sh"):
        check_launcher(ElasticSettings())
