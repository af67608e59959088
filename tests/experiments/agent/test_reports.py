"""Scripts report by `started`, `record` and `finished`, with an agent beside them or without."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ddl.experiments.agent.main import main
from ddl.experiments.store.view import read_view
from ddl.experiments.watching.history import read_history
from tests.experiments.agent.worlds import World, lines_of, wait_for

SCRIPT = """\
export DDL_EXPERIMENT_DIR=$({agent} started --store {store} --name tune lr=0.1 kind=small)
for epoch in 1 2 3; do
    {agent} record epoch=$epoch loss=0.$epoch val_loss=nan || exit 1
done
{agent} finished --status ${{1:-0}}
"""


@pytest.fixture
def attempt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Be a script beside an agent; return the attempt's folder."""
    folder = tmp_path / "001-x" / "attempts" / "1"
    folder.mkdir(parents=True)
    monkeypatch.setenv("DDL_ATTEMPT", "a")
    monkeypatch.setenv("DDL_ATTEMPT_DIR", str(folder))
    return folder


def by_hand(world: World, *words: str) -> subprocess.CompletedProcess[str]:
    """Run a script that nobody has planned."""
    agent = f"{world.python} {world.agent}"
    script = world.folder / "job.sh"
    script.write_text(SCRIPT.format(agent=agent, store=world.folder / "hand"))
    return subprocess.run(
        ["bash", str(script), *words],
        env=world.environ,
        cwd=world.folder,
        capture_output=True,
        text=True,
    )


def rows_of(folder: Path) -> list[dict[str, object]]:
    rows = read_history(folder / "history.json")["rows"]
    return [{name: value for name, value in row.items() if name != "time"} for row in rows]


def test_a_script_by_hand_has_a_history_and_a_status(any_world: World):
    done = by_hand(any_world)
    assert (done.returncode, done.stderr) == (0, "")
    folder = any_world.folder / "hand" / "001-tune"
    rows = rows_of(folder)
    assert [(row["epoch"], row["loss"], row["attempt"]) for row in rows] == [
        (1, 0.1, 1),
        (2, 0.2, 1),
        (3, 0.3, 1),
    ]
    status = json.loads((folder / "attempts/1/status.json").read_text())
    assert (status["outcome"], status["epochs"], status["progressed"]) == ("finished", 3, True)
    kinds = [event["kind"] for event in lines_of(folder / "attempts/1/events.jsonl")]
    assert kinds == ["started", "finished"]


def test_the_manager_reads_what_a_script_by_hand_made(world: World):
    by_hand(world)
    view = read_view(world.folder / "hand")
    [experiment] = view.experiments
    assert (experiment.record.name, experiment.state) == ("001-tune", "finished")
    assert dict(experiment.record.parameters) == {"lr": 0.1, "kind": "small"}


def test_a_second_run_is_another_attempt(world: World):
    by_hand(world, "1")
    by_hand(world, "0")
    folder = world.folder / "hand" / "001-tune"
    statuses = [
        json.loads((folder / f"attempts/{n}/status.json").read_text())["outcome"] for n in (1, 2)
    ]
    assert statuses == ["crashed", "finished"]
    assert len(rows_of(folder)) == 3


def start(world: World, name: str, **environ: str) -> str:
    words = ("started", "--store", world.folder / "hand", "--name", name, "--pid", os.getpid())
    return world.call(*words, **environ).strip()


def test_what_still_runs_is_not_begun_again(world: World):
    start(world, "a")
    error = world.call("started", "--store", world.folder / "hand", "--name", "a", status=2)
    assert "has not ended" in error


def test_a_script_that_died_is_a_crash_of_its_attempt(world: World):
    with subprocess.Popen(["sleep", "60"]) as script:
        world.call("started", "--store", world.folder / "hand", "--name", "a", "--pid", script.pid)
        script.kill()
    folder = world.folder / "hand" / "001-a"
    start(world, "a")
    assert json.loads((folder / "attempts/1/status.json").read_text())["outcome"] == "crashed"
    assert (folder / "attempts/2/claims/0000/identity.json").exists()


def test_two_experiments_get_two_numbers_also_at_once(world: World):
    store = world.folder / "hand"
    words = [("started", "--store", store, "--name", name, "--pid", os.getpid()) for name in "abcd"]
    for process in [world.popen(*each) for each in words]:
        process.communicate(timeout=30)
        assert process.returncode == 0
    assert sorted(path.name[:3] for path in store.glob("0*")) == ["001", "002", "003", "004"]
    assert json.loads((store / "store.json").read_text())["next_number"] == 5
    assert [path.name for path in store.glob(".*")] == []


def test_beside_an_agent_values_reach_the_history(world: World):
    line = "for e in 1 2; do {agent} record epoch=$e loss=0.$e; done; {agent} started; {agent} finished"
    attempt = world.shell(1, line.replace("{agent}", f"{world.python} $DDL_AGENT"))
    world.start(attempt)
    assert world.status(attempt)["epochs"] == 2
    assert [row["loss"] for row in rows_of(attempt.experiment.path)] == [0.1, 0.2]
    assert lines_of(attempt.out_log.parent / "record.jsonl")[0]["epoch"] == 1
    assert attempt.out_log.read_text().strip() == str(attempt.experiment.path)


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["loss"],
        ["loss="],
        ["loss=low"],
        ["=1"],
        ["1x=1"],
        ["a b=1"],
        ["epoch=nan"],
        ["loss=0.1", "val=?"],
        ["x" * 101 + "=1"],
    ],
)
def test_a_wrong_value_is_told_in_one_line_and_writes_nothing(
    words: list[str], attempt: Path, capsys: pytest.CaptureFixture[str]
):
    assert main(["record", *words]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "Expected: " in error
    assert list(attempt.iterdir()) == []


@pytest.mark.parametrize(
    ("text", "value"),
    [("nan", "NaN"), ("-inf", "-Infinity"), ("1e-3", 0.001), ("7", 7), ("12%", 12)],
)
def test_numbers_are_read_as_json_can_hold_them(text: str, value: object, attempt: Path):
    assert main(["record", f"loss={text}"]) == 0
    assert [line["loss"] for line in lines_of(attempt / "record.jsonl")] == [value]


def test_a_full_disk_is_told_and_does_not_end_the_script(world: World):
    attempt = world.simple(1, "true")
    attempt.record.symlink_to("/dev/full")
    environ = {**world.environ, "DDL_ATTEMPT": "a", "DDL_ATTEMPT_DIR": str(attempt.path)}
    words = [world.python, str(world.agent), "record", "loss=1"]
    done = subprocess.run(words, env=environ, capture_output=True, text=True)
    assert done.returncode == 0
    assert "the training continues" in done.stderr


@pytest.mark.parametrize(
    "words",
    [
        ("record", "a=1"),
        ("record", "a=1", "--store", "none"),
        ("record", "a=1", "--store", "none", "--name", "x"),
        ("finished",),
        ("finished", "--status", "many", "--store", "s", "--name", "x"),
        ("started",),
        ("started", "--store", ".", "--name", "x"),
        ("started", "--store", "new", "--name", "../x"),
        ("started", "--store", "new", "--name", "x", "--pid", "4194304"),
        ("started", "--store", "new", "--name", "x", "--pid", "one"),
    ],
)
def test_wrong_words_are_told_in_one_line(
    words: tuple[str, ...],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "foreign").write_text("")
    assert main(list(words)) == 2
    error = capsys.readouterr().err
    assert error.startswith("agent: Received: ")
    assert error.count("\n") == 1


def test_rows_without_an_epoch_are_counted(world: World):
    folder = Path(start(world, "a"))
    for loss in (3, 2):
        world.call("record", f"loss={loss}", DDL_EXPERIMENT_DIR=str(folder))
    world.call("finished", DDL_EXPERIMENT_DIR=str(folder))
    assert [row["loss"] for row in rows_of(folder)] == [3, 2]


def test_a_python_script_reports_too(world: World):
    script = world.folder / "job.py"
    script.write_text(
        "import os, subprocess, sys\n"
        "agent = [sys.executable, sys.argv[1]]\n"
        "where = ['--store', 'hand', '--name', 'py']\n"
        "subprocess.run([*agent, 'started', *where], check=True)\n"
        "subprocess.run([*agent, 'record', 'epoch=1', 'loss=2.5', *where], check=True)\n"
        "subprocess.run([*agent, 'finished', *where], check=True)\n"
    )
    subprocess.run(
        [sys.executable, script, world.agent], env=world.environ, cwd=world.folder, check=True
    )
    assert wait_for(lambda: rows_of(world.folder / "hand" / "001-py"))[0]["loss"] == 2.5
