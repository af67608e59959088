"""A manager that is sent to a node: packed into one file, it goes on there with all that the store holds."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from io import BytesIO

import pytest

from ddl.experiments.engine.elsewhere.manager import packed
from ddl.experiments.engine.nodes_file import from_json, nodes_of, seen_from, to_json
from ddl.experiments.store.store import set_wanted
from tests.experiments.beds.sshd import HOST, running_sshd
from tests.experiments.engine.lab import GO
from tests.experiments.engine.views import NODES


def test_what_is_packed_runs_without_any_package(tmp_path):
    _, data = packed()
    with zipfile.ZipFile(BytesIO(data)) as archive:
        archive.extractall(tmp_path)
    words = [
        sys.executable,
        "-I",
        "-S",
        str(tmp_path / "scripts/experiments.py"),
        "manage",
        "--store",
        "nowhere",
    ]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, "Received: store=" in done.stderr) == (2, True), done.stderr


def test_what_is_packed_is_the_same_each_time_and_small():
    sha, data = packed()
    packed.cache_clear()
    assert packed() == (sha, data)
    assert len(data) < 1_000_000


def test_a_manager_on_a_node_sees_that_node_as_its_own_and_not_the_users_machine():
    seen = seen_from(NODES, "cluster")
    assert seen.nodes["cluster"].ssh is None
    assert seen.nodes["cluster"].shared
    assert "here" not in seen.nodes
    assert seen.nodes["server"].ssh == "server"


def test_nodes_come_back_from_the_store_as_they_were():
    assert from_json(to_json(NODES)) == NODES


def test_a_manager_on_a_node_goes_on_with_the_users_machine_off(lab, capsys):
    environ = {"DDL_NODE_HOME": os.environ["DDL_NODE_HOME"], "DDL_AGENT_PACE": "0.1"}
    nodes = {"server": {"ssh": HOST, "slots": 2, "shared": True, "python": sys.executable}}
    with running_sshd(lab.path / "sshd", **environ):
        lab.do("add", lab.spec(count=3, nodes=nodes))
        for item in lab.view().experiments:
            set_wanted(item.folder, want="run")
        assert lab.do("manage", "--on", "server", "--every", "1s") == 0
        assert "A manager has started on server" in capsys.readouterr().out
        lab.wait(lambda: lab.states() == ["finished"] * 3)
        lab.wait(lambda: "manage" not in str(lab.processes()))
    assert len(lab.trained()) == 3


def test_a_node_that_does_not_see_the_store_is_told(lab, capsys):
    lab.do("add", lab.spec(nodes={"here": {}}))
    assert lab.do("manage", "--on", "mars") == 2
    assert "Expected one of: here" in capsys.readouterr().err
    assert nodes_of(lab.view().store)[1] == ""


@pytest.mark.proof
def test_what_the_manager_on_a_node_waits_for_is_told_here(lab):
    environ = {"DDL_NODE_HOME": os.environ["DDL_NODE_HOME"], "DDL_AGENT_PACE": "0.1"}
    nodes = {"server": {"ssh": HOST, "slots": 1, "python": sys.executable}}
    with running_sshd(lab.path / "sshd", **environ):
        lab.do("submit", lab.spec(nodes=nodes, node="server", needs={"cores": 4096}))
        assert lab.do("manage", "--on", "server", "--every", "1s") == 0
        (lab.store / "waits.json").unlink()
        lab.sync_until(lambda: "needs 4096 cores" in lab.one().why)
        assert "manage" in str(lab.processes())  # nodes.yaml may change
        assert lab.do("manage", "--back") == 0


@pytest.mark.proof
def test_a_node_that_does_not_see_the_store_gets_a_copy_with_a_manager(lab, capsys):
    environ = {"DDL_NODE_HOME": os.environ["DDL_NODE_HOME"], "DDL_AGENT_PACE": "0.1"}
    nodes = {"server": {"ssh": HOST, "slots": 1, "python": sys.executable}, "here": {"slots": 1}}
    with running_sshd(lab.path / "sshd", **environ):
        lab.do("submit", lab.spec(count=3, nodes=nodes, node="server", seconds=GO))
        assert lab.do("manage", "--on", "server", "--every", "1s") == 0
        assert "It looks after 3 experiments" in capsys.readouterr().out
        lab.do("stop", "2")
        lab.sync_until(lambda: lab.one(2).state == "stopped")
        lab.go()
        lab.sync_until(lambda: lab.states() == ["finished", "stopped", "finished"])
        lab.wait(lambda: "manage" not in str(lab.processes()))
        lab.do("resume", "2")
        lab.sync_until(lambda: lab.states() == ["finished"] * 3)
        assert lab.do("manage", "--back") == 0
        assert not (lab.store / "delegated.json").exists()
        assert [len(lab.trained(number)) for number in (1, 2, 3)] == [1, 1, 1]
