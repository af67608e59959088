"""Experiments on this machine, from a spec to their ends, by real agents."""

from __future__ import annotations

import errno
import json
import os
import re
import signal
import time

import pytest

from tests.experiments.engine.lab import GO, overlaps


def test_three_experiments_on_two_slots_finish(lab):
    assert lab.submit(count=3, seconds=GO) == 0
    lab.wait(lambda: len(lab.trained()) == 2)
    assert sorted(lab.states()) == ["running", "running", "waiting"]
    lab.go()
    lab.wait(lambda: lab.states() == ["finished"] * 3)
    assert len(lab.trained()) == 3


@pytest.mark.proof
def test_a_submit_returns_while_experiments_wait(lab, capsys):
    lab.submit(count=3, seconds=GO)
    assert re.search(r"[123] waiting", capsys.readouterr().out)
    assert [one.how for one in lab.trained() if one.end] == []


def test_status_says_why_a_queued_one_waits(lab, capsys):
    lab.submit(count=1, needs={"cores": 100_000})
    capsys.readouterr()
    lab.do("status")
    assert re.search(r"queued .*here: needs 100000 cores, has \d+", capsys.readouterr().out)


def test_a_full_disk_is_said_at_once(lab, capsys, monkeypatch):
    lab.submit(count=1, needs={"cores": 100_000})
    capsys.readouterr()

    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("ddl.experiments.engine.observe.write_json", full)
    began = time.monotonic()
    lab.do("sync")
    told = "here cannot be reached: its answer cannot be kept: No space left on device"
    assert told in capsys.readouterr().out
    assert time.monotonic() - began < 15


@pytest.mark.proof
def test_submitting_twice_starts_each_once(lab, capsys):
    lab.submit(count=2)
    capsys.readouterr()
    assert lab.do("submit") == 0
    assert "submitted before" in capsys.readouterr().out
    lab.wait(lambda: lab.states() == ["finished"] * 2)
    assert len(lab.trained()) == 2


def test_a_crash_is_retried_as_often_as_the_spec_says_and_is_then_a_failure(lab):
    lab.submit(status=7, retries=1)
    lab.wait(lambda: lab.states() == ["failed"])
    assert [one.attempt[-2:] for one in lab.trained()] == ["a1", "a2"]
    assert lab.do("sync") == 3


def test_retry_tries_a_failed_one_again(lab):
    (lab.path / "status").write_text("7")
    lab.submit(command=f"sh train.sh 0 $(cat {lab.path}/status)", shell=True, parameters={})
    lab.wait(lambda: lab.states() == ["failed"])
    (lab.path / "status").write_text("0")
    assert lab.do("retry", "1") == 0
    lab.wait(lambda: lab.states() == ["finished"])
    assert len(lab.trained()) == 2
    assert lab.one().wanted["tries"] == 1


@pytest.mark.parametrize(
    ("status", "state"),
    [
        (4, "diverged"),
        *(pytest.param(*each, marks=pytest.mark.proof) for each in ((2, "refused"), (9, "failed"))),
    ],
)
def test_the_status_of_a_command_tells_the_state(lab, status, state):
    lab.submit(status=status)
    lab.wait(lambda: lab.states() == [state])


@pytest.mark.proof
def test_a_command_that_asks_to_go_on_gets_attempts_until_it_makes_no_progress(lab):
    lab.submit(status=75)
    lab.wait(lambda: lab.states() == ["failed"])
    assert len(lab.trained()) == 3
    assert "no progress" in lab.one().why
    assert overlaps(lab.trained()) == []


def test_sync_writes_the_table_and_what_it_saw(lab):
    lab.submit()
    lab.wait(lambda: lab.states() == ["finished"])
    lab.do("sync")
    assert "001-cells" in (lab.store / "experiments.csv").read_text()
    seen = json.loads((lab.store / "seen" / "here.json").read_text())
    assert seen["reachable"] is True
    assert seen["facts"]["cores"] >= 1


@pytest.mark.proof
def test_manage_ends_when_all_have_ended_and_tells_a_failure_by_its_status(lab):
    lab.submit(count=2, seconds=0.5, status=3)
    assert lab.do("manage", "--every", "1s") == 3
    assert lab.states() == ["failed"] * 2


@pytest.mark.proof
def test_manage_ends_when_the_others_wait_for_what_no_node_has(lab, capsys):
    lab.submit(needs={"cores": 4096})
    assert lab.do("manage", "--every", "1s") == 3
    assert re.search(r"001-lr1 waits for .*: needs 4096 cores, has \d+", capsys.readouterr().err)
    assert lab.states() == ["queued"]


def test_a_higher_priority_starts_first(lab):
    lab.spec(count=3, seconds=0.2, nodes={"here": {"slots": 1}}, priority={"lr=3": 5})
    lab.do("submit", lab.path / "cells.yaml")
    lab.wait(lambda: lab.states() == ["finished"] * 3)
    assert lab.trained()[0].attempt.endswith("-003-a1")


@pytest.mark.proof
def test_json_output_is_one_document(lab, capsys):
    lab.submit()
    capsys.readouterr()
    lab.do("sync", "--json")
    told = json.loads(capsys.readouterr().out)
    assert told["experiments"][0]["name"] == "001-cells"


@pytest.mark.proof
def test_a_runner_that_was_killed_is_started_by_the_next_sync(lab):
    lab.submit(count=3, seconds=GO, nodes={"here": {"slots": 1}})
    lab.wait(lambda: len(lab.trained()) == 1)
    runner = next(pid for pid, words in lab.processes().items() if " runner" in words)
    os.kill(runner, signal.SIGKILL)
    lab.go()
    lab.sync_until(lambda: lab.states() == ["finished"] * 3)
    assert len(lab.trained()) == 3


def test_an_agent_that_was_killed_gets_a_successor_and_its_command_is_ended(lab):
    lab.submit(seconds=GO, retries=1)
    lab.wait(lambda: lab.trained())
    agent = next(pid for pid, words in lab.processes().items() if " run " in words)
    os.kill(agent, signal.SIGKILL)
    lab.sync_until(lambda: len(lab.trained()) == 2)
    first, second = lab.trained()
    assert first.how == "stopped"
    assert first.end is not None
    assert first.end <= second.start


_HOPELESS = """\
echo "start $DDL_ATTEMPT $(date +%s.%N)" >> "$LOG"
trap 'echo "stopped $DDL_ATTEMPT $(date +%s.%N)" >> "$LOG"; exit 75' TERM
for epoch in 1 2 3 4 5 6; do echo "epoch $epoch val_dice 0.1"; sleep 0.2; done
while :; do sleep 0.2; done
"""


def test_a_hopeless_run_is_stopped_on_its_node_and_told_at_the_next_sync(lab, capsys):
    (lab.path / "hopeless.sh").write_text(_HOPELESS)
    lab.submit(
        command="sh hopeless.sh {lr}",
        variables={"from": "stdout", "pattern": "epoch {epoch} val_dice {val_dice}"},
        watch={"hopeless": "val_dice < 0.6 after 3 epochs -> stop"},
    )
    lab.wait(lambda: [one.how for one in lab.trained()] == ["stopped"])  # no manager is at work
    lab.wait(lab.quiet)
    capsys.readouterr()
    assert lab.do("sync") == 0
    assert "001-cells: stopped by rule hopeless" in capsys.readouterr().out
    one = lab.one()
    assert (one.state, one.attempts[0].status["by"]) == ("stopped", "rule hopeless")
    assert one.why.startswith("stop by rule hopeless at epoch 3: ")
    assert "val_dice < 0.6 after 3 epochs -> stop (val_dice 0.1)" in one.why
    finding = json.loads(one.attempts[0].folder.findings.read_text().splitlines()[0])
    assert finding["rule"] == "hopeless"
    assert finding["time"] < one.attempts[0].ended
