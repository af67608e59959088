"""Experiments on a server by a real sshd: it does not see the store, has a home of its own, and may go away."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.experiments.beds.sshd import HOST, Sshd, running_sshd
from tests.experiments.engine.lab import GO, Lab


@pytest.fixture
def node(lab: Lab) -> Iterator[Sshd]:
    """Return a server whose processes belong to the lab."""
    with running_sshd(
        lab.path / "sshd", DDL_NODE_HOME=os.environ["DDL_NODE_HOME"], DDL_AGENT_PACE="0.1"
    ) as bed:
        yield bed


NODES = {"server": {"ssh": HOST, "slots": 2, "python": "python3"}}


def submit(lab: Lab, **spec) -> int:
    """Submit experiments to the server."""
    return lab.submit(nodes=NODES, **spec)


def test_experiments_run_there_and_what_they_wrote_comes_back(lab, node, capsys):
    (lab.path / "data").mkdir()
    (lab.path / "data" / "cells.txt").write_text("data" * 1000)
    code = (
        "mkdir -p $DDL_RUN_DIR/checkpoints; cat data/cells.txt > $DDL_RUN_DIR/copy; "
        "echo c > $DDL_RUN_DIR/checkpoints/1; "
        'echo model > result.txt; echo "epoch 1 loss 0.5"; sh train.sh 0.1 0 {lr}'
    )
    spec = {"files": ["data/*.txt"], "outputs": ["result.txt"], "shell": True, "command": code}
    assert submit(lab, count=2, **spec) == 0
    assert "4.0 kB in 1 files" in capsys.readouterr().out
    lab.sync_until(lambda: lab.states() == ["finished"] * 2)
    one = lab.one()
    assert (one.folder.run_dir / "copy").read_text() == "data" * 1000
    assert (one.folder.path / "outputs" / "result.txt").read_text() == "model\n"
    assert "epoch 1" in one.attempts[0].folder.out_log.read_text()
    assert not (one.folder.run_dir / "checkpoints").exists()
    assert one.folder.history.exists()
    assert len(lab.trained()) == 2
    there = next((node.home / "ddl-experiments").iterdir())
    assert (there / "001-lr1" / "run" / "checkpoints" / "1").exists()


def test_a_server_that_goes_away_is_unknown_and_then_told(lab, node):
    submit(lab, seconds=GO)
    lab.sync_until(lambda: lab.states() == ["running"])
    node.stop()
    lab.do("sync")
    before = lab.one().attempts
    lab.go()
    lab.wait(lambda: [one.how for one in lab.trained()] == ["end"])
    lab.do("sync")
    assert lab.one().attempts[0].status == before[0].status == {}
    assert lab.view().nodes_seen["server"]["reachable"] is False
    node.start()
    lab.do("sync")
    assert lab.states() == ["finished"]
    assert len(lab.trained()) == 1


@pytest.mark.proof
def test_a_server_that_hangs_holds_up_no_other_node(lab, node):
    spec = lab.spec(count=2, nodes={**NODES, "here": {"slots": 2}}, node="here")
    lab.do("add", spec)
    lab.do("submit", "1", "--node", "server")
    node.hang(True)
    try:
        manager = lab.start("submit", "2", "--node", "here")
        lab.wait(lambda: lab.trained(2))
        assert manager.poll() is None  # it still waits for the server
    finally:
        node.hang(False)
        assert manager.wait(60) == 0


@pytest.mark.proof
def test_stop_pause_resume_and_remove_reach_the_server(lab, node):
    submit(lab, count=3, seconds=GO)
    lab.sync_until(lambda: len(lab.trained()) == 2)
    assert lab.do("stop", "1") == 0
    assert lab.do("pause", "3") == 0
    assert lab.do("remove", "2", "--yes") == 0
    lab.sync_until(lambda: lab.states() == ["stopped", "paused"])
    lab.wait(lab.quiet)
    there = next((node.home / "ddl-experiments").iterdir())
    assert not (there / "002-lr2").exists()
    assert (lab.store / "removed" / "002-lr2").is_dir()
    lab.do("resume", "3")
    lab.sync_until(lambda: lab.trained(3))
    lab.do("stop", "3")
    lab.sync_until(lambda: lab.states() == ["stopped", "stopped"])
    lab.wait(lab.quiet)
