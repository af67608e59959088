"""`plan` shows what `add` would do, quickly, and writes nothing."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from tests.launch import REPOSITORY
from tests.scripts.in_process import call

TEXT = "command: x {flags}\nparameters: {a: {grid: [1, 2]}, b: 7}\n"


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    (tmp_path / "in").mkdir()
    path = tmp_path / "in/s.yaml"
    path.write_text(TEXT)
    return path


def plan(spec: Path, *flags: object) -> str:
    outcome = call("experiments", "plan", spec, *flags)
    assert (outcome.status, outcome.told) == (0, "")
    return outcome.printed


def test_a_line_an_experiment_then_totals(spec: Path):
    spec.write_text(TEXT + "needs: {time: 90 min, memory: 2G, gpus: 1}\n")
    lines = plan(spec).splitlines()
    assert lines[:3] == ["001-a1  a=1", "002-a2  a=2", ""]
    assert lines[3] == "Experiments: 2, all new; on here (local)"
    assert lines[4] == "Need: 3h in all, memory 2G each, GPUs 1 each"
    assert lines[5] == "First command: x --a 1 --b 7"
    assert lines[6] == f"Runs in: {spec.parent} (frozen code)"
    assert lines[7] == f"Store: {spec.parent}/experiments/s (none yet)"


def test_nothing_is_written(spec: Path):
    plan(spec)
    assert [path.name for path in spec.parent.rglob("*")] == ["s.yaml"]


def test_what_the_store_has_keeps_its_name_and_number(spec: Path):
    assert call("experiments", "add", spec).status == 0
    spec.write_text(TEXT.replace("[1, 2]", "[3, 2]").replace("b: 7", "b: {grid: [7, 8]}"))
    lines = plan(spec).splitlines()
    assert lines[:4] == [
        "003-a3-b7        a=3 b=7",
        "004-a3-b8        a=3 b=8",
        "002-a2     kept  a=2 b=7",
        "005-a2-b8        a=2 b=8",
    ]
    assert "Experiments: 4, 3 new, 1 in the store already; on here (local)" in lines
    assert "In the store, no longer in the spec, left alone: 001-a1" in lines
    assert call("experiments", "add", spec).status == 0
    names = sorted(path.parent.name for path in spec.parent.glob("experiments/s/*/experiment.json"))
    assert names == ["001-a1", "002-a2", "003-a3-b7", "004-a3-b8", "005-a2-b8"]


def test_json_has_what_the_text_has(spec: Path):
    spec.write_text(TEXT + "needs: {time: 90 min}\nfiles: [s.yaml]\n")
    found = json.loads(plan(spec, "--json"))
    assert [one["name"] for one in found["experiments"]] == ["001-a1", "002-a2"]
    assert [one["differs"] for one in found["experiments"]] == [{"a": 1}, {"a": 2}]
    assert (found["spec"], found["new"], found["kept"], found["time_s"]) == ("s", 2, 0, 10800)
    assert found["files"] == [{"pattern": "s.yaml", "files": 1, "bytes": spec.stat().st_size}]


def test_sizes_of_files_are_said_first(spec: Path):
    (spec.parent / "data/sub").mkdir(parents=True)
    (spec.parent / "data/a.h5").write_bytes(bytes(1536))
    (spec.parent / "data/sub/b.h5").write_bytes(bytes(512))
    spec.write_text(TEXT + "files: [data, 'data/*.h5']\n")
    assert "Sends: data (2 files, 2K)" in plan(spec)
    assert "Sends: data/*.h5 (1 file, 1.5K)" in plan(spec)


def test_a_list_that_may_have_been_meant_as_a_grid_is_noted(spec: Path):
    spec.write_text("command: x {flags}\nparameters: {a: [1, 2]}\n")
    assert "Note: a is one list of 2 numbers for each experiment;" in plan(spec)


def test_a_rule_about_a_variable_that_no_column_has_is_noted(spec: Path):
    spec.write_text(
        TEXT + "watch: {w: los > 3 -> stop}\nvariables: {from: stdout, columns: [loss]}\n"
    )
    assert "Note: rule w: los is none of the columns. Did you mean 'loss'?" in plan(spec)


def test_several_mistakes_are_a_line_each(spec: Path):
    spec.write_text(TEXT + "retries: -1\nranks: 0\n")
    outcome = call("experiments", "plan", spec)
    assert outcome.status == 2
    lines = outcome.told.splitlines()
    assert [line.split(": ")[1].rpartition("/")[2] for line in lines] == [
        "s.yaml:3:10",
        "s.yaml:4:8",
    ]


def test_control_characters_of_a_spec_do_not_reach_the_terminal(spec: Path):
    spec.write_text('command: x {flags}\nparameters: {a: {grid: ["\\e[31mred", "\\u202e"]}}\n')
    printed = plan(spec)
    assert "\x1b" not in printed
    assert "\u202e" not in printed


def test_a_damaged_store_is_told_in_one_line(spec: Path):
    assert call("experiments", "add", spec).status == 0
    (spec.parent / "experiments/s/001-a1/experiment.json").write_text("{")
    outcome = call("experiments", "plan", spec)
    assert (outcome.status, outcome.told.count("\n")) == (2, 1)
    assert "which cannot be read" in outcome.told


def test_a_missing_argument_is_told_in_one_line():
    outcome = call("experiments", "plan")
    assert (outcome.status, outcome.told.count("\n")) == (2, 1)


def measured(*flags: str) -> tuple[float, subprocess.CompletedProcess[str]]:
    """Run `plan` of the example as users do, with what Python keeps compiled; return its seconds of a core, too.

    It waits for nothing, so on a free core they are the seconds that pass.
    """
    environment = {
        name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"
    }
    script = ["scripts/experiments.py", "plan", "examples/experiments/cells.yaml"]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [sys.executable, *flags, *script],
        cwd=REPOSITORY,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, done


@pytest.mark.alone
def test_the_example_takes_under_300_ms():
    """The best of a few tries: a busy machine may be slow, a slow program is never fast."""
    assert min(measured()[0] for _ in range(5)) < 0.3


def test_no_heavy_module_is_loaded():
    told = measured("-X", "importtime")[1].stderr
    loaded = {line.rpartition("|")[2].strip() for line in told.splitlines()}
    heavy = {"numpy", "tensorflow", "keras", "matplotlib", "psutil", "h5py", "ddl.training"}
    assert loaded & heavy == set()
