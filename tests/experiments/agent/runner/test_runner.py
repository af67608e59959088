"""The queue of a machine: slots, one runner, nothing lost after `kill -9` of whatever."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
from pathlib import Path

import pytest

from ddl.experiments.agent.layout import AttemptFolder
from ddl.experiments.agent.node import processes
from tests.experiments.agent.worlds import World, lines_of, wait_for

GATE = "while ! test -e go; do sleep 0.05; done"
"""Holds a command until the test opens it."""

RUNNER = {"intent": {"chain": "runner"}}


def runners(world: World) -> list[int]:
    found = [one.pid for one in world.processes()]
    return [pid for pid in found if "runner" in processes.words_of(pid)]


def open_gate(world: World) -> None:
    (world.folder / "go").write_text("")


def queue(world: World) -> Path:
    return world.node_home / socket.gethostname()


def test_the_queue_runs_and_the_runner_ends(any_world: World):
    world = any_world
    attempts = [world.shell(number, f"echo {number} >> log") for number in (1, 2)]
    states = world.enqueue(*attempts)
    assert [state["state"] for state in states.values()] == ["queued", "queued"]
    assert [world.status(attempt)["outcome"] for attempt in attempts] == ["finished", "finished"]
    assert (world.folder / "log").read_text() == "1\n2\n"
    wait_for(lambda: not runners(world))
    assert (
        list((queue(world) / "jobs").iterdir()) == list((queue(world) / "started").iterdir()) == []
    )


def test_enqueuing_twice_runs_once(world: World):
    attempt = world.shell(1, "echo >> log; sleep 0.5")
    for process in [world.popen("enqueue", attempt.path) for _ in range(3)]:
        process.communicate(timeout=30)
        assert process.returncode == 0
    world.status(attempt)
    assert world.enqueue(attempt)[world.name(1)]["state"] == "ended"
    wait_for(lambda: not runners(world))
    assert (world.folder / "log").read_text() == "\n"


def test_there_is_one_runner(world: World):
    attempts = [world.shell(number, "echo > log; sleep 60") for number in range(1, 4)]
    for process in [world.popen("enqueue", attempt.path) for attempt in attempts]:
        process.communicate(timeout=30)
    wait_for(lambda: world.folder.joinpath("log").exists())
    wait_for(lambda: len(runners(world)) == 1)  # others end once they see the lock


def test_slots_limit_what_runs_at_once_over_several_stores(
    world: World, tmp_path: Path, agent: Path
):
    (tmp_path / "other").mkdir()
    other = World(tmp_path / "other", agent, world.python)
    other.environ, other.node_home = world.environ, world.node_home
    line = f"echo + >> {tmp_path}/log; sleep 0.5; echo - >> {tmp_path}/log"
    attempts = [place.shell(number, line) for place in (world, other) for number in (1, 2)]
    world.enqueue(*attempts, slots=2)
    for attempt in attempts:
        world.status(attempt, 30)
    at_once = most = 0
    for sign in (tmp_path / "log").read_text().split():
        at_once += 1 if sign == "+" else -1
        most = max(most, at_once)
    assert most == 2


def test_a_copy_of_what_is_in_the_queue_is_refused(world: World):
    first = world.shell(1, f"echo > log; {GATE}")
    world.enqueue(first)
    world.written("log")
    shutil.copytree(world.store, world.folder / "copy")
    copied = world.folder / "copy" / "001-x" / "attempts" / "1"
    shutil.rmtree(copied / "claims")
    assert "a copy of" in world.call("enqueue", copied, status=2)


def test_a_higher_priority_overtakes(world: World):
    first, low, high = (world.shell(n, f"echo {n} >> log; {GATE}") for n in (1, 2, 3))
    world.enqueue(first)
    world.written("log")
    world.enqueue(low)
    world.call("enqueue", high.path, "--priority", 5)
    open_gate(world)
    for attempt in (low, high):
        world.status(attempt)
    assert (world.folder / "log").read_text().split() == ["1", "3", "2"]


@pytest.mark.proof
def test_a_priority_can_be_changed_while_it_waits(world: World):
    first, one, two = (world.shell(n, f"echo {n} >> log; {GATE}") for n in (1, 2, 3))
    world.enqueue(first)
    world.written("log")
    world.enqueue(one, two)
    world.call("enqueue", two.path, "--priority", 5)
    open_gate(world)
    for attempt in (one, two):
        world.status(attempt)
    assert (world.folder / "log").read_text().split() == ["1", "3", "2"]


def test_what_waits_is_stopped_before_it_starts(world: World):
    first, second = (world.shell(n, f"echo {n} >> log; {GATE}") for n in (1, 2))
    world.enqueue(first, second)
    world.written("log")
    assert world.look(second)["state"] == "queued"
    world.call("stop", second.path, "--how", "pause")
    assert world.status(second)["outcome"] == "paused"
    open_gate(world)
    world.status(first)
    wait_for(lambda: not runners(world))
    assert (world.folder / "log").read_text() == "1\n"


def test_gpus_are_given_out_by_cuda_visible_devices(world: World):
    smi = world.folder / "bin" / "nvidia-smi"
    smi.parent.mkdir()
    smi.write_text("#!/bin/sh\necho '0, Tesla, 100, 90, 5'\necho '1, Tesla, 100, 90, 5'\n")
    smi.chmod(0o755)
    world.environ["PATH"] = f"{smi.parent}:{world.environ['PATH']}"
    world.environ.pop("CUDA_VISIBLE_DEVICES", None)
    record = {"needs": {"gpus": 1}}
    line = f"echo $CUDA_VISIBLE_DEVICES >> log; {GATE}"
    attempts = [world.shell(number, line, record=record) for number in (1, 2)]
    world.enqueue(*attempts, slots=4)
    wait_for(lambda: len(world.written("log").split()) == 2)
    open_gate(world)
    assert [world.status(attempt)["outcome"] for attempt in attempts] == ["finished", "finished"]
    assert sorted((world.folder / "log").read_text().split()) == ["0", "1"]


def test_gpus_that_nothing_shows_are_given_out_as_nodes_yaml_says(world: World):
    world.environ.pop("CUDA_VISIBLE_DEVICES", None)
    line = "echo $CUDA_VISIBLE_DEVICES > log"
    attempt = world.shell(1, line, record={"needs": {"gpus": 2}})
    world.enqueue(attempt, gpus=2)
    assert world.status(attempt)["outcome"] == "finished"
    assert (world.folder / "log").read_text() == "0,1\n"


def test_a_killed_runner_leaves_its_attempts_and_the_next_contact_starts_another(world: World):
    first, second = (world.shell(n, f"echo {n} >> log; {GATE}", **RUNNER) for n in (1, 2))
    world.enqueue(first, second)
    world.written("log")
    wait_for(lambda: world.look(first)["state"] == "running")
    for pid in runners(world):
        os.kill(pid, signal.SIGKILL)
    wait_for(lambda: not runners(world))
    assert world.look(first)["alive"]
    assert len(wait_for(lambda: runners(world))) == 1
    open_gate(world)
    assert world.status(first)["outcome"] == "finished"
    assert world.status(second)["outcome"] == "finished"
    assert (world.folder / "log").read_text() == "1\n2\n"


def test_a_killed_agent_ends_its_attempt_and_the_next_one_follows(world: World):
    line = "echo $DDL_ATTEMPT >> log; test -e {run_dir}/again && exit 0; touch {run_dir}/again; sleep 60"
    first = world.shell(1, line, record={"retries": 1}, **RUNNER)
    world.enqueue(first)
    world.written("log")
    agent = wait_for(lambda: world.look(first)["identity"].get("pid"))
    os.kill(agent, signal.SIGKILL)
    assert world.status(first)["outcome"] == "crashed"
    second = first.experiment.attempt(2)
    assert world.status(second)["outcome"] == "finished"
    assert json.loads(second.intent.read_text())["reason"] == "crash"
    assert (world.folder / "log").read_text().split() == [
        world.name(1),
        world.name(1, 2),
    ]


def test_a_killed_agent_without_retries_is_a_failure_with_an_event(world: World):
    first = world.shell(1, "echo > log; sleep 60", **RUNNER)
    world.enqueue(first)
    world.written("log")
    agent = wait_for(lambda: world.look(first)["identity"].get("pid"))
    os.kill(agent, signal.SIGKILL)
    assert world.status(first)["by"] == "runner"
    assert lines_of(first.events)[-1]["kind"] == "failed"
    wait_for(lambda: not world.of(first))


def test_after_a_reboot_attempts_are_lost_and_go_on(world: World):
    first = world.shell(1, "echo $DDL_ATTEMPT >> log", **RUNNER)
    world.enqueue(world.shell(2, "sleep 1"))  # makes the folders
    for path in (first.claim(0), first.path):
        path.mkdir(parents=True, exist_ok=True)
    identity = {**processes.own_identity(), "boot_id": "an earlier one"}
    (first.claim(0) / "identity.json").write_text(json.dumps(identity))
    name = world.name(1)
    job = {"name": name, "attempt_dir": str(first.path), "agent": [world.python, str(world.agent)]}
    (queue(world) / "jobs" / f"{name}.json").write_text(json.dumps(job))
    (queue(world) / "started" / f"{name}.json").write_text(json.dumps(identity))
    world.look(first)
    status = world.status(first)
    assert (status["outcome"], status["cause"]) == ("continue", "node lost")
    assert world.status(first.experiment.attempt(2))["outcome"] == "finished"
    assert (world.folder / "log").read_text() == f"{world.name(1, 2)}\n"


def test_status_75_is_followed_until_the_end(world: World):
    line = "echo x >> {run_dir}/steps; test $(wc -l < {run_dir}/steps) -lt 3 && exit 75; exit 0"
    first = world.shell(1, line, **RUNNER)
    world.enqueue(first)
    last = first.experiment.attempt(3)
    assert world.status(last)["outcome"] == "finished"
    assert [world.status(first.experiment.attempt(n))["outcome"] for n in (1, 2)] == [
        "continue",
        "continue",
    ]


@pytest.mark.proof
def test_three_attempts_without_progress_end_the_chain(world: World):
    first = world.shell(1, "exit 75", **RUNNER)
    world.enqueue(first)
    third = first.experiment.attempt(3)
    assert world.status(third, 30)["progressed"] is False
    assert lines_of(third.events)[-1]["kind"] == "failed"
    wait_for(lambda: not runners(world))
    assert first.experiment.attempt_numbers() == [1, 2, 3]


def test_nothing_follows_what_the_user_no_longer_wants(world: World):
    first = world.shell(1, "exit 75", **RUNNER)
    first.experiment.wanted.write_text(json.dumps({"want": "pause"}))
    world.enqueue(first)
    world.status(first)
    wait_for(lambda: not runners(world))
    assert first.experiment.attempt_numbers() == [1]


def test_a_removed_attempt_leaves_the_queue(world: World):
    first, second = (world.shell(n, f"echo {n} >> log; {GATE}") for n in (1, 2))
    world.enqueue(first, second)
    world.written("log")
    second.experiment.path.rename(world.folder / "gone")
    open_gate(world)
    world.status(first)
    wait_for(lambda: not runners(world))
    assert list((queue(world) / "jobs").iterdir()) == []


def test_an_agent_that_cannot_start_is_told(world: World):
    first = world.simple(1, "true")
    world.enqueue(world.shell(2, GATE), first)
    first.experiment.experiment.write_text("{}")
    open_gate(world)
    status = world.status(first)
    assert status["outcome"] == "refused"
    assert "Expected: an experiment's record" in status["why"]


@pytest.mark.parametrize("place", ["jobs", "started"])
def test_damaged_files_of_the_queue_do_not_end_the_runner(world: World, place: str):
    world.enqueue(world.shell(2, "sleep 1"))
    (queue(world) / place / "ddl-00000000-009-a1.json").write_text("no json")
    attempt: AttemptFolder = world.shell(1, "true")
    world.enqueue(attempt)
    assert world.status(attempt)["outcome"] == "finished"


def test_node_tells_of_the_queue(world: World):
    attempts = [world.shell(number, "echo > log; sleep 60") for number in (1, 2)]
    world.enqueue(*attempts)
    world.written("log")
    told = json.loads(world.call("node", world.folder))
    assert told["runner"] == {"alive": True, "queued": 1, "running": 1, "slots": 1}
    assert told["disk"]["free_bytes"] > 0
    assert told["memory"]["available_bytes"] <= told["memory"]["total_bytes"]
