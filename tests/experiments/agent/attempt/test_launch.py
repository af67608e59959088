"""The words, the environment and the limits of a command."""

from __future__ import annotations

import pstats
import signal
import sys
from pathlib import Path

import pytest

from ddl.experiments.agent.attempt import launch
from ddl.experiments.agent.layout import AttemptFolder
from tests.experiments.agent.worlds import World

VALUES = {
    "run_dir": "/s/my run",
    "experiment_dir": "/s",
    "store_dir": "/",
    "attempt_dir": "/s/attempts/1",
    "attempt": "ddl-1-001-a1",
    "agent": "/a.pyz",
    "number": "001",
    "name": "001-x",
}


def test_places_are_filled_and_doubled_braces_are_braces():
    text = "{run_dir}/{name} {{x}} {number} {unknown} {{run_dir}} ${{HOME}}"
    assert launch.filled(text, VALUES) == "/s/my run/001-x {x} 001 {unknown} {run_dir} ${HOME}"


def test_values_in_a_line_of_shell_are_quoted():
    assert (
        launch.words_of({"argv": ["ls {run_dir}"], "shell": True}, VALUES)[-1] == "ls '/s/my run'"
    )


def test_a_plain_command_is_not_given_to_a_shell():
    assert launch.words_of({"argv": ["ls", "{run_dir}", ";"]}, VALUES) == ["ls", "/s/my run", ";"]


def test_setup_is_followed_by_the_command_in_the_same_process():
    words = launch.words_of({"argv": ["ls", "$HOME"], "setup": "module load x"}, VALUES)
    assert words[1:3] == ["-c", 'module load x\nexec "$@"']
    assert words[4:] == ["ls", "$HOME"]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["python", "a.py", "-x"], ["python", "-m", "cProfile", "-o", "p", "a.py", "-x"]),
        (["env", "A=1", "/usr/bin/python3.11", "-u", "a.py"], None),
        (["python3", "-m", "pkg"], ["python3", "-m", "cProfile", "-o", "p", "-m", "pkg"]),
        (["python", "-c", "print(1)"], ["python", "-c", "print(1)"]),
        (["./a.out"], ["./a.out"]),
        (["python"], ["python"]),
    ],
)
def test_foreign_python_is_profiled(words: list[str], expected: list[str] | None):
    found = launch.profiled(words, "p")
    assert found == (expected or [*words[:4], "-m", "cProfile", "-o", "p", "a.py"])


def test_our_own_scripts_profile_themselves():
    words = ["horovodrun", "-np", "2", "python", "scripts/train_unet.py"]
    assert launch.profiled(words, "p", "train_unet.py") == [*words, "--profile", "20"]
    given = [*words, "--profile=5"]
    assert launch.profiled(given, "p", "train_unet.py") == given


def test_a_profile_is_written(world: World):
    (world.folder / "job.py").write_text("def train():\n    return sum(range(9))\ntrain()\n")
    attempt = world.simple(1, sys.executable, "job.py", record={"profile": True})
    world.start(attempt)
    assert world.status(attempt)["outcome"] == "finished"
    names = {name for _, _, name in pstats.Stats(str(attempt.path / "profile.pstats")).stats}
    assert "train" in names


@pytest.mark.parametrize(
    ("run", "number"),
    [
        ({}, signal.SIGTERM),
        ({"stop_signal": "USR1"}, signal.SIGUSR1),
        ({"stop_signal": "no"}, signal.SIGTERM),
    ],
)
def test_the_signal_of_the_spec(run: dict[str, str], number: int):
    assert launch.stop_signal(run) == number


@pytest.mark.parametrize(
    ("intent", "needs", "limit_s"),
    [
        ({}, {}, None),
        ({}, {"time_s": 60}, 60),
        ({"time_limit_s": 30}, {"time_s": 60}, 30),
        ({"time_limit_s": 180, "chain": "agent"}, {}, 135),
        ({"time_limit_s": 7200, "chain": "agent"}, {}, 7050),
        ({"time_limit_s": 7200, "chain": "agent", "signal_before_s": 120}, {}, 7110),
        ({"time_limit_s": 7200, "chain": "manager", "signal_before_s": 120}, {}, 7110),
    ],
)
def test_the_time_limit(intent: dict[str, object], needs: dict[str, float], limit_s: float | None):
    record = {"run": {"stop_grace_s": 120}, "needs": needs}
    assert launch.limit_s(intent, record) == limit_s


def test_only_who_knows_75_says_with_0_that_it_is_finished(tmp_path: Path):
    attempt = AttemptFolder(tmp_path / "001-x" / "attempts" / "1")
    assert launch.says_75({"own": "train_unet.py"}, attempt)
    assert launch.says_75({"stop_signal": "USR1"}, attempt)
    assert not launch.says_75({"stop_signal": "TERM"}, attempt)
    attempt.experiment.run_dir.mkdir(parents=True)
    (attempt.experiment.run_dir / "plan.json").write_text("{}")
    assert launch.says_75({"stop_signal": "TERM"}, attempt)


def test_a_successor_or_a_runner_inherits_nothing_of_this_attempt(monkeypatch: pytest.MonkeyPatch):
    for name in ("DDL_ATTEMPT", "SLURM_RESTART_COUNT", "SLURM_CONF", "DDL_NODE_HOME"):
        monkeypatch.setenv(name, "1")
    environ = launch.outer_environment()
    assert {"SLURM_CONF", "DDL_NODE_HOME", "PATH"} <= set(environ)
    assert not {"DDL_ATTEMPT", "SLURM_RESTART_COUNT"} & set(environ)
