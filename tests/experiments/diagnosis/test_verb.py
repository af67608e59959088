"""`experiments.py diagnose`: run directories, experiments of a store, foreign histories, bad input."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ddl.experiments import command
from ddl.experiments.agent.layout import ExperimentFolder
from ddl.experiments.diagnosis.evidence import evidence_of_experiment, evidence_of_run, read_lines
from tests.experiments.diagnosis.made import PLAN, history, samples
from tests.experiments.made_store import MadeStore


def write_run(folder: Path, rows: list[dict[str, Any]], plan: dict[str, Any] | None = None) -> Path:
    """Write a run directory with a history, and a plan if it is one of ours."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "history.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    if plan is not None:
        (folder / "plan.json").write_text(json.dumps(plan))
    return folder


def diagnosed(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    """Run the verb; return its status, and what it printed."""
    try:
        status = command.main("", ["diagnose", *words])
    except SystemExit as ended:
        status = int(ended.code or 0)
    out, err = capsys.readouterr()
    return status, out, err


DIVERGING = history(loss=[1.0, 0.8, 1.5, 3.0, 6.0])


def test_a_run_directory_needs_no_store(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = write_run(tmp_path / "run", DIVERGING, PLAN)
    status, out, _ = diagnosed(capsys, str(run))
    assert status == 0
    assert "diverging (likely, since epoch 2)" in out
    assert "Try: --learning-rate 0.0001" in out


def test_a_run_that_is_well_says_so_and_what_a_probe_would_add(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = write_run(tmp_path / "run", history(loss=[1.0, 0.8, 0.6]), PLAN)
    status, out, _ = diagnosed(capsys, str(run))
    assert (status, "none of 16 checks finds anything" in out, "--probe" in out) == (0, True, True)


def test_json_is_one_document(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runs = [str(write_run(tmp_path / name, DIVERGING, PLAN)) for name in ("a", "b")]
    status, out, _ = diagnosed(capsys, *runs, "--json")
    assert status == 0
    found = json.loads(out)
    assert [one["name"] for one in found] == runs
    [finding] = found[0]["findings"]
    assert sorted(finding) == ["check", "numbers", "remedy", "since_epoch", "sureness", "text"]
    assert (finding["check"], finding["since_epoch"]) == ("diverging", 2)


def test_a_foreign_history_gets_remedies_in_words(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = write_run(tmp_path / "run", DIVERGING)
    _, out, _ = diagnosed(capsys, str(run))
    assert "Try: Divide the learning rate by 10." in out


@pytest.mark.parametrize(
    ("history_text", "problem"),
    [
        ("no JSON\n", "line 1 is not a JSON object"),
        (None, "holds no training run"),
    ],
)
def test_bad_input_is_one_line(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    history_text: str | None,
    problem: str,
) -> None:
    run = tmp_path / "run"
    run.mkdir()
    if history_text is not None:
        (run / "history.jsonl").write_text(history_text)
    status, out, err = diagnosed(capsys, str(run))
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert problem in err


def test_a_path_that_does_not_exist_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status, _, err = diagnosed(capsys, str(tmp_path / "none"))
    assert status == 2
    assert "which does not exist. Expected: a run directory" in err


@pytest.mark.parametrize("text", ["", "\n", "[]\n", "{}", "nonsense", '{"plan": 3}'])
def test_a_damaged_plan_or_profile_is_as_none(tmp_path: Path, text: str) -> None:
    run = write_run(tmp_path / "run", DIVERGING)
    (run / "plan.json").write_text(text)
    (run / "facts.json").write_text(text)
    (run / "preprocessing.json").write_text(text)
    assert evidence_of_run(run).facts["plan"] == {}


def test_an_experiment_of_a_foreign_program_is_read_from_the_store(tmp_path: Path) -> None:
    folder = tmp_path / "001-a"
    attempt = folder / "attempts" / "1"
    attempt.mkdir(parents=True)
    (folder / "history.json").write_text(
        json.dumps({"rows": [*DIVERGING, {"epoch": 6, "loss": "NaN"}]})
    )
    (folder / "experiment.json").write_text(json.dumps({"needs": {"cores": 4}}))
    lines = "".join(json.dumps(sample) + "\n" for sample in samples(3, cores_used=1.0))
    (attempt / "resources.jsonl").write_text(lines + '{"time": 3, "cor')
    (attempt / "status.json").write_text(json.dumps({"returncode": 1, "tail": ["Killed"]}))
    evidence = evidence_of_experiment(ExperimentFolder(folder))
    assert len(evidence.rows) == 6
    assert evidence.rows[5]["loss"] != evidence.rows[5]["loss"]
    assert len(evidence.resources) == 3
    assert (evidence.facts["cores"], evidence.facts["log"]) == (4, ["Killed"])


def test_experiments_of_a_store_are_named_by_which(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = MadeStore(tmp_path / "store")
    argv = ("python", "scripts/train_cnn.py")
    for rate in (1e-3, 2e-3):
        folder = made.plain({"learning_rate": rate}, argv)
        folder.history.write_text(json.dumps({"rows": DIVERGING}))
    status, out, _ = diagnosed(capsys, "lr=0.002", "--store", str(made.path), "--json")
    [one] = json.loads(out)
    assert (status, one["name"], one["epochs"]) == (0, "002-learning_rate0.002", 5)
    assert one["findings"][0]["remedy"] == "--learning-rate 0.0002"
    status, out, _ = diagnosed(capsys, "--store", str(made.path))
    assert (status, out.count("diverging (likely")) == (0, 2)
    status, _, err = diagnosed(capsys, "9", "--store", str(made.path))
    assert (status, err.count("\n")) == (2, 1)


def test_lines_that_are_no_objects_are_skipped(tmp_path: Path) -> None:
    path = tmp_path / "resources.jsonl"
    path.write_text('[1]\n{"a": 1}\nx\n' + "[" * 10_000 + "\n")
    assert read_lines(path) == [{"a": 1}]
    assert read_lines(tmp_path / "none") == []
