"""An attempt from claim to status, with foreign commands and real signals."""

from __future__ import annotations

import json
import os
import signal
import sys

import pytest

from tests.experiments.agent.worlds import World, lines_of, wait_for

SAVES = """\
import signal, sys, time
def save(number, frame):
    open("saved", "w").write("yes"); sys.exit({status})
signal.signal(signal.SIGTERM, save); signal.signal(signal.SIGUSR1, save)
open("ready", "w").write("yes"); time.sleep(60)
"""


def saving(world: World, status: int) -> list[str]:
    script = world.folder / "save.py"
    script.write_text(SAVES.format(status=status))
    return [sys.executable, str(script)]


def test_a_foreign_command_runs_to_its_end(any_world: World):
    attempt = any_world.simple(1, "sh", "-c", "echo $DDL_EXPERIMENT {run_dir}; echo oops >&2")
    process = any_world.start(attempt)
    assert process.wait(30) == 0
    status = any_world.status(attempt)
    assert (status["outcome"], status["returncode"], status["by"]) == ("finished", 0, "command")
    assert status["tail"] == [f"001-x {attempt.experiment.run_dir}", "oops"]
    kinds = [event["id"] for event in lines_of(attempt.events)]
    assert kinds == [f"{any_world.store_id}/001/a1/{kind}" for kind in ("started", "finished")]


def test_the_environment_names_the_attempt_and_where_it_is(world: World):
    attempt = world.shell(3, "env > seen")
    world.start(attempt).communicate(timeout=30)
    seen = dict(
        line.partition("=")[::2] for line in (world.folder / "seen").read_text().splitlines()
    )
    assert seen["DDL_ATTEMPT"] == world.name(3)
    assert seen["DDL_ATTEMPT_DIR"] == str(attempt.path)
    assert seen["DDL_AGENT"] == str(world.agent)
    assert json.loads(seen["DDL_PARAMETERS"]) == {"lr": 0.1}


def test_a_crash_tells_its_last_lines(world: World):
    attempt = world.shell(1, "for i in $(seq 99); do echo line $i; done; echo bad >&2; exit 7")
    assert world.start(attempt).wait(30) == 1
    status = world.status(attempt)
    assert (status["outcome"], status["returncode"]) == ("crashed", 7)
    assert status["why"] == "ended with status 7: bad"
    assert status["tail"][-2:] == ["line 99", "bad"]
    assert lines_of(attempt.events)[-1]["kind"] == "failed"


@pytest.mark.parametrize(("how", "outcome"), [("stop", "stopped"), ("pause", "paused")])
def test_a_stop_lets_the_command_save(world: World, how: str, outcome: str):
    attempt = world.simple(1, *saving(world, 75))
    process = world.start(attempt)
    world.written("ready")
    world.call("stop", attempt.path, "--how", how, "--by", "ada", "--why", "enough")
    status = world.status(attempt)
    assert (status["outcome"], status["by"]) == (outcome, "ada")
    assert status["why"] == f"{how} by ada: enough"
    assert (world.folder / "saved").exists()
    assert process.wait(10) == 0


def test_a_command_that_ignores_the_signal_is_killed_after_its_grace(world: World):
    attempt = world.shell(
        1, "trap '' TERM; echo > ready; while :; do sleep 1; done", stop_grace_s=0.3
    )
    world.start(attempt)
    world.written("ready")
    world.call("stop", attempt.path)
    assert world.status(attempt)["outcome"] == "stopped"
    assert world.of(attempt) == []


def test_kill_does_not_wait_for_the_grace(world: World):
    attempt = world.shell(
        1, "trap '' TERM; echo > ready; sleep 60 & wait; sleep 60", stop_grace_s=60
    )
    world.start(attempt)
    world.written("ready")
    world.call("stop", attempt.path, "--how", "kill")
    assert world.status(attempt, 10)["outcome"] == "stopped"


def test_kill_is_stronger_than_a_stop_that_waits(world: World):
    attempt = world.shell(
        1, "trap '' TERM; echo > ready; sleep 60 & wait; sleep 60", stop_grace_s=60
    )
    world.start(attempt)
    world.written("ready")
    world.call("stop", attempt.path, "--how", "pause")
    world.call("stop", attempt.path, "--how", "kill")
    assert world.status(attempt, 10)["outcome"] == "stopped"


def test_two_stops_at_once_end_it_once(world: World):
    attempt = world.simple(1, *saving(world, 75))
    world.start(attempt)
    world.written("ready")
    for process in [world.popen("stop", attempt.path, "--by", name) for name in ("a", "b")]:
        process.communicate(timeout=30)
        assert process.returncode == 0
    assert world.status(attempt)["outcome"] == "stopped"
    assert [event["kind"] for event in lines_of(attempt.events)] == ["started", "stopped"]


def test_what_a_command_leaves_in_the_background_ends_with_it(world: World):
    attempt = world.shell(1, "setsid sleep 60 & sleep 60 & echo done")
    world.start(attempt)
    assert world.status(attempt)["outcome"] == "finished"
    assert world.of(attempt) == []


def test_usr1_to_the_agent_is_the_time_limit(world: World):
    attempt = world.simple(1, *saving(world, 75), stop_signal="USR1")
    process = world.start(attempt)
    world.written("ready")
    process.send_signal(signal.SIGUSR1)
    status = world.status(attempt)
    assert (status["outcome"], status["cause"]) == ("continue", "time limit")


def test_term_to_the_agent_is_preemption(world: World):
    attempt = world.simple(1, *saving(world, 0))
    process = world.start(attempt)
    world.written("ready")
    process.terminate()
    status = world.status(attempt)
    assert (status["outcome"], status["cause"]) == ("continue", "preempted")


def test_a_kill_of_the_command_is_a_crash(world: World):
    attempt = world.simple(1, *saving(world, 0))
    world.start(attempt)
    world.written("ready")
    os.kill(world.of(attempt)[0].pid, signal.SIGKILL)
    status = world.status(attempt)
    assert (status["outcome"], status["why"]) == ("crashed", "ended by signal SIGKILL")


def test_a_killed_agent_takes_its_command_along(world: World):
    attempt = world.simple(1, *saving(world, 75))
    process = world.start(attempt)
    world.written("ready")
    process.kill()
    wait_for(lambda: not world.of(attempt))
    assert (world.folder / "saved").exists()
    wait_for(lambda: not world.processes())


def test_a_superseded_agent_ends_its_command(world: World):
    attempt = world.simple(1, *saving(world, 75))
    world.start(attempt)
    world.written("ready")
    (world.attempt(attempt.experiment, 2).path / "claims" / "0000").mkdir(parents=True)
    status = world.status(attempt)
    assert status["outcome"] == "superseded"
    assert (world.folder / "saved").exists()


def test_an_agent_that_cannot_write_its_heartbeat_ends_its_command(world: World):
    attempt = world.simple(1, *saving(world, 75))
    process = world.start(attempt)
    world.written("ready")
    attempt.heartbeat.unlink(missing_ok=True)
    attempt.heartbeat.mkdir()
    (attempt.heartbeat / "in the way").mkdir()
    assert world.status(attempt)["cause"] == "lease lost"
    process.wait(10)


def test_a_stopped_agent_that_wakes_after_its_lease_ends_its_command(world: World):
    attempt = world.simple(1, *saving(world, 75))
    process = world.start(attempt)
    world.written("ready")
    process.send_signal(signal.SIGSTOP)
    wait_for(lambda: world.look(attempt)["heartbeat_age_s"] > 3.5)
    process.send_signal(signal.SIGCONT)
    assert world.status(attempt)["cause"] == "lease lost"


def test_the_limit_of_a_machine_without_scheduler_is_kept(world: World):
    attempt = world.simple(1, *saving(world, 75), record={"needs": {"time_s": 1}})
    world.start(attempt)
    status = world.status(attempt)
    assert (status["outcome"], status["cause"]) == ("continue", "time limit")


def test_a_program_that_is_not_there_is_refused(world: World):
    attempt = world.simple(1, "no-such-program")
    assert world.start(attempt).wait(30) == 2
    status = world.status(attempt)
    assert status["outcome"] == "refused"
    assert "no-such-program" in status["why"]


def test_a_folder_that_is_not_there_is_refused(world: World):
    attempt = world.simple(1, "true", folder=str(world.folder / "gone"))
    world.start(attempt)
    assert world.status(attempt)["outcome"] == "refused"


def test_a_stop_before_the_start_starts_nothing(world: World):
    attempt = world.shell(1, "echo > ready")
    attempt.stop.write_text(json.dumps({"how": "pause", "by": "ada", "why": ""}))
    world.start(attempt)
    assert world.status(attempt)["outcome"] == "paused"
    assert not (world.folder / "ready").exists()


def test_stopping_what_nobody_has_claimed_ends_it_for_good(world: World):
    attempt = world.shell(1, "echo > ready")
    world.call("stop", attempt.path)
    assert world.status(attempt)["outcome"] == "stopped"
    assert world.start(attempt).wait(30) == 0
    assert not (world.folder / "ready").exists()


def test_stopping_what_has_ended_changes_nothing(world: World):
    attempt = world.shell(1, "true")
    world.start(attempt).wait(30)
    before = attempt.status.read_text()
    world.call("stop", attempt.path)
    assert attempt.status.read_text() == before


def test_setup_runs_in_the_shell_of_the_command(world: World):
    attempt = world.simple(1, "sh", "-c", "echo $WORD > out", setup="export WORD=well")
    world.start(attempt)
    world.status(attempt)
    assert (world.folder / "out").read_text() == "well\n"


def test_what_the_node_adds_comes_before_the_commands_own(world: World):
    intent = {"setup": "export A=1 B=1", "env": {"C": "1", "D": "1"}}
    attempt = world.shell(1, "echo $A$B$C$D > out", setup="B=2", env={"D": "2"}, intent=intent)
    world.start(attempt)
    world.status(attempt)
    assert (world.folder / "out").read_text() == "1212\n"


def test_an_attempt_without_an_intent_is_refused_in_one_line(world: World):
    folder = world.experiment(1, "true").attempt(1).path
    folder.mkdir(parents=True)
    error = world.call("run", folder, status=2)
    assert error.startswith("agent: Received: ")
    assert error.count("\n") == 1
