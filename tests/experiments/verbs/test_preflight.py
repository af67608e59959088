"""`preflight` and `doctor`: nothing is queued, the worst is told by the status, unknown is said as unknown."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.experiments.verbs.run import run_verb


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder that the verb runs in."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "home").mkdir()
    monkeypatch.setenv("DDL_NODE_HOME", str(tmp_path / "home" / "node"))
    for name in ("DDL_STORE", "XDG_CONFIG_HOME", "XDG_RUNTIME_DIR"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    return tmp_path / "work"


def spec(folder: Path, command: str = "sh train.sh {rate}", more: str = "") -> Path:
    path = folder / "cells.yaml"
    path.write_text(
        f"name: cells\ncommand: {command}\nparameters: {{rate: {{grid: [1, 2]}}}}\n{more}\n"
    )
    return path


def test_a_spec_is_checked_before_it_is_in_a_store(folder: Path, capsys):
    path = spec(folder, more="needs: {memory: 1M, disk: 1M, cores: 1}")
    done = run_verb(capsys, "preflight", path)
    assert done.status == 0
    assert done.lines[0] == "001-r1, 002-r2 on here:"
    assert done.lines[-1] == "2 experiments: 2 ok."
    assert not (folder / "experiments").exists()


def test_experiments_with_the_same_answers_are_told_together_and_bad_ones_by_the_status(
    folder: Path, capsys
):
    done = run_verb(capsys, "preflight", spec(folder, "trainx {rate}", "needs: {gpus: 9000}"))
    assert done.status == 3
    assert "  no       GPUs       9000 GPUs wanted, there are 0" in done.lines
    assert "  no       command    no program trainx there" in done.lines
    assert done.lines[-1] == "2 experiments: 2 no."


def test_what_a_node_cannot_tell_is_unknown(folder: Path, capsys):
    more = "nodes: {away: {type: ssh, ssh: nowhere.invalid}}\nnode: away"
    done = run_verb(capsys, "preflight", spec(folder, more=more), "--json")
    assert done.status == 0
    assert set(done.json["experiments"].values()) == {"unknown"}
    assert "cannot be asked" in done.json["checks"][0]["checks"][0]["text"]


def test_experiments_of_a_store_are_chosen_by_name(folder: Path, capsys):
    run_verb(capsys, "add", spec(folder))
    done = run_verb(capsys, "preflight", "2")
    assert done.status == 0
    assert done.lines[0] == "002-r2 on here:"


@pytest.mark.parametrize(
    "words",
    [
        ["cells.yaml", "1"],
        ["nothing"],
        ["cells.yaml", "--time-limit-s", "0"],
        ["cells.yaml", "--time-limit-s", "soon"],
        ["cells.yaml", "--dry-run", "perhaps"],
    ],
)
def test_bad_input_is_one_line(folder: Path, capsys, words: list[str]):
    spec(folder)
    done = run_verb(capsys, "preflight", *words)
    assert done.status == 2
    assert done.err.startswith("experiments preflight: Received: ")
    assert done.err.count("\n") == 1


def test_doctor_looks_at_this_machine_the_store_and_the_nodes(folder: Path, capsys):
    run_verb(capsys, "add", spec(folder))
    done = run_verb(capsys, "doctor")
    assert [line for line in done.lines if not line.startswith(" ")] == [
        "this machine:",
        "store cells:",
        "node here:",
    ]
    assert any(line.startswith("  ok       links") for line in done.lines)
    assert any("runs on" in line for line in done.lines)


def test_doctor_without_a_store_says_so(folder: Path, capsys):
    found = run_verb(capsys, "doctor", "--json").json
    assert found["store"][0]["verdict"] == "unknown"


def test_doctor_refuses_a_store_that_is_none(folder: Path, capsys):
    done = run_verb(capsys, "doctor", "--store", folder)
    assert done.status == 2
    assert "which is no store" in done.err
