"""`show`: everything about one experiment."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ddl.experiments.spec.records import Code, Needs, Rule, Run
from tests.experiments.made_store import MadeStore
from tests.experiments.verbs.run import run_verb


@pytest.fixture
def made(tmp_path):
    """Return a store with an experiment that crashed once and runs."""
    made = MadeStore(tmp_path / "store")
    folder = made.plain(
        {"learning_rate": 0.001, "augment": [1, 2]},
        label="lr0.001",
        run=Run(
            argv=("python", "train.py", "a b", "--api-token", "sesame"), folder="/home/ada/{{x}}"
        ),
        needs=Needs(memory_bytes=16_000_000_000, gpus=1, time_s=7200),
        watch=(Rule(name="hopeless", text="loss > 3 -> stop"),),
        retries=2,
        author="ada",
        code=Code(
            policy="live",
            commit="0123abcd",
            branch="main",
            dirty=True,
            patch="p.patch",
            source="/w",
        ),
    )
    made.want(folder)
    made.attempt(
        folder, "crashed", why="ended with signal SIGSEGV", peak_memory_bytes=2_500_000_000
    )
    second = made.attempt(folder, "running", reason="crash", job="4711")
    made.epochs(folder, 12)
    second.out_log.write_text("".join(f"line {n}\n" for n in range(50)))
    finding = {
        "time": made.now,
        "rule": "slow",
        "text": "half as fast",
        "action": "warn",
        "epoch": 3,
    }
    second.findings.write_text(json.dumps(finding) + "\n")
    return made


def show(made, capsys, *words):
    return run_verb(capsys, "show", "1", "--store", made.path, *words)


@pytest.mark.parametrize(
    "text",
    [
        "001-lr0.001: running for 10 min",
        "learning_rate  0.001",
        "augment        [1, 2]",
        "python train.py 'a b' --api-token '(hidden)'",
        "folder    /home/ada/{x}",
        "memory_bytes 16 GB, gpus 1",
        "time_s 2:00:00",
        "hopeless: loss > 3 -> stop",
        "0123abcd (main), with changes: code/p.patch",
        "live: as it is at the start",
        "crashed",
        "ended with signal SIGSEGV",
        "2.5 GB",
        "4711",
        "epoch 3: slow: half as fast -> warn",
        "0.92308",
        "line 49",
    ],
)
def test_it_shows(made, capsys, text):
    assert text in show(made, capsys).out


def test_secrets_of_the_command_are_hidden(made, capsys):
    assert "sesame" not in show(made, capsys).out


def test_only_the_end_of_the_log_is_shown(made, capsys):
    assert "line 39\n" not in show(made, capsys).out


def test_json_has_record_attempts_findings_and_rows(made, capsys):
    found = show(made, capsys, "--json").json
    assert found["record"]["retries"] == 2
    assert [attempt["status"].get("outcome") for attempt in found["attempts"]] == ["crashed", None]
    assert found["findings"][0]["rule"] == "slow"
    assert len(found["rows"]) == 5
    assert found["folder"] == "/home/ada/{x}"
    assert found["tail"][-1] == "line 49"


def test_secrets_of_the_command_are_hidden_in_json(made, capsys):
    assert "sesame" not in show(made, capsys, "--json").out


def test_a_failed_one_is_status_3(tmp_path, capsys):
    made = MadeStore(tmp_path / "store")
    folder = made.experiment("failed")
    path = folder.attempt(1).status
    path.write_text(json.dumps({**json.loads(path.read_text()), "tail": ["Traceback", "boom\x1b"]}))
    done = run_verb(capsys, "show", "1", "--store", made.path)
    assert done.status == 3
    assert "boom\\x1b" in done.out


def test_an_experiment_without_anything_is_shown(tmp_path, capsys):
    made = MadeStore(tmp_path / "store")
    made.plain({})
    done = run_verb(capsys, "show", "1", "--store", made.path)
    assert (done.status, "planned" in done.out, "Attempts" in done.out) == (0, True, False)


def test_several_are_refused(made, capsys):
    made.plain()
    done = run_verb(capsys, "show", "*", "--store", made.path)
    assert done.status == 2
    assert "which is 2 experiments. Expected: one of 001-lr0.001, 002-seed2" in done.err


def test_torn_findings_and_odd_files_are_passed_over(made, capsys):
    attempt = made.view().experiments[0].attempts[-1].folder
    with attempt.findings.open("a") as file:
        file.write('3\n{"torn')
    (Path(attempt.path) / "out.log").write_bytes(b"\xff\xfe\0\r\n")
    assert show(made, capsys).status == 0
