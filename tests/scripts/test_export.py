"""scripts/export.py and what takes its models, as a user starts them."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

from tests.inference.models import make_pictures, make_run
from tests.pages import find_row, read_page
from tests.scripts.in_process import call
from tests.scripts.test_flags import default_of, flags_of
from tests.small_files import limited_files

PAGE = read_page("export.md")


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "unet"
    return make_run(folder, shape=(32, 32, 3), data_option={"count": 20}, image_size=(32, 32))


@pytest.fixture(scope="module")
def exported(run_dir: Path) -> tuple[Path, str]:
    """Return an export of the run, and what the script said."""
    model = run_dir.parent / "cells.xml"
    outcome = call("export", run_dir, model)
    assert outcome.status == 0, outcome.told
    return model, outcome.printed


def test_an_export_is_compared_with_keras(exported: tuple[Path, str]) -> None:
    assert "dice against ground truth" in exported[1]
    assert exported[1].endswith("cells.xml: openvino in f32\n")


def test_an_export_predicts_as_its_run(
    run_dir: Path, exported: tuple[Path, str], tmp_path: Path
) -> None:
    pictures = make_pictures(tmp_path / "in", [(40, 40), (23, 61)])
    found = []
    for name, model in (("keras", run_dir), ("openvino", exported[0])):
        given = ("--probabilities", "true", "--format", "npy", "--backend", name)
        assert call("predict", model, pictures, tmp_path / name, *given).status == 0
        files = sorted((tmp_path / name).glob("*.probabilities.npy"))
        found.append([np.load(file) for file in files])
    assert len(found[0]) == 2
    for one, other in zip(*found, strict=True):
        assert np.abs(one - other).max() < 1e-4


def test_an_export_evaluates_as_its_run(run_dir: Path, exported: tuple[Path, str]) -> None:
    measured = []
    for flags in (("--backend", "keras"), ("--exported", exported[0])):
        outcome = call("evaluate", run_dir, "--metric", "dice", *flags)
        assert outcome.status == 0, outcome.told
        measured.append(json.loads(outcome.printed))
    assert measured[0]["dice"] == pytest.approx(measured[1]["dice"], abs=1e-3)
    assert measured[0]["samples"] == measured[1]["samples"] == 2


def test_an_export_that_is_too_far_is_refused_with_its_figures(
    run_dir: Path, tmp_path: Path
) -> None:
    outcome = call("export", run_dir, tmp_path / "a.onnx", "--tolerance", "0")
    assert outcome.status == 2
    *_, told = outcome.told.splitlines()
    assert told.startswith("export: Received: an export in f32 that is too far from Keras: largest")
    assert not list(tmp_path.iterdir())


def test_a_benchmark_is_a_table_and_its_figures(run_dir: Path, tmp_path: Path) -> None:
    quick = "--rounds 1 --turn-s 0.01 --latency-calls 2 --calibration-samples 2 --batch-size 2"
    output = tmp_path / "speed.md"
    outcome = call("benchmark_inference", run_dir, *quick.split(), "--output", output)
    assert outcome.status == 0, outcome.told
    assert output.read_text() == outcome.printed
    assert len(outcome.printed.splitlines()) == 2 + 5
    facts = json.loads(output.with_suffix(".json").read_text())
    assert facts["picture"] == [32, 32, 3]
    assert facts["ways"]["OpenVINO f32"]["largest_difference"] < 1e-4
    assert facts["ways"]["OpenVINO int8"]["times OpenVINO f32"]["median"] > 0


@pytest.mark.parametrize("script", ["export", "benchmark_inference"])
def test_the_page_has_every_flag_with_its_default(script: str) -> None:
    part = PAGE.partition(f"## The flags of {script}.py")[2].partition("\n## ")[0]
    flags = flags_of(script)
    for flag, action in flags.items():
        assert find_row(part, flag).split("|")[2].strip() == default_of(action), flag
    assert set(re.findall(r"^\| `(--[\w-]+)`", part, re.MULTILINE)) == set(flags)


@pytest.mark.parametrize(
    "name",
    [
        "full.xml",
        *(
            pytest.param(name, marks=pytest.mark.proof)
            for name in ("full.savedmodel", "full.onnx", "full.tflite")
        ),
    ],
)
def test_an_export_onto_a_full_disk_says_so_and_leaves_nothing(run_dir: Path, name: str) -> None:
    """Each converter has an error of its own for it."""
    before = sorted(run_dir.parent.iterdir())
    with limited_files(20_000):
        outcome = call("export", run_dir, run_dir.parent / name)
    assert outcome.status == 2
    assert outcome.told.splitlines()[-1] == (
        f"export: Could not write {run_dir.parent / name}: no space left. Free some space and run the same command "
        "again."
    )
    assert "Traceback" not in outcome.told
    assert sorted(run_dir.parent.iterdir()) == before
