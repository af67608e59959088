"""Every config in examples/json is checked without TensorFlow, and runs at small size; every one has a picture."""

from __future__ import annotations

import contextlib
import io
import json
import re
from pathlib import Path
from typing import Any

import pytest

from ddl.data.preparation.example import Example, write_example
from tests.launch import REPOSITORY
from tests.scripts.in_process import Outcome, call

EXAMPLES = REPOSITORY / "examples" / "json"
NAMES = (
    *("classification", "inference", "transfer", "autoencoder", "segmentation"),
    *("segmentation_3d", "self_supervision", "slices", "poisson", "burgers", "gan", "detection"),
)
QUICK = ("classification", "inference")
"""In the first tier; `test_run.py` and the tests of each capability run smaller ones."""
SMALL: dict[str, dict[str, Any]] = {
    "shapes": {"kind": "classes", "count": 16, "size": 32},
    "shapes-test": {"kind": "classes", "count": 8, "size": 32, "seed": 1},
    "shapes-few": {"kind": "classes", "count": 8, "size": 32, "seed": 2},
    "cells": {"count": 8, "size": 64},
    "cells-test": {"count": 2, "size": 64, "seed": 1},
    "tissue": {"kind": "volumes", "count": 4, "size": 16},
    "tissue-test": {"kind": "volumes", "count": 2, "size": 16, "seed": 1},
    "block": {"kind": "block", "count": 1, "size": 24},
    "block-test": {"kind": "block", "count": 1, "size": 24, "seed": 1},
    "scenes": {"kind": "boxes", "count": 20, "size": 96},
    "scenes-test": {"kind": "boxes", "count": 4, "size": 96, "seed": 1},
    "maps": {"kind": "maps", "count": 8, "size": 32},
    "digits": {"kind": "digits", "count": 80, "size": 16},
    "digits-test": {"kind": "digits", "count": 20, "size": 16, "seed": 1},
    "maps-test": {"kind": "maps", "count": 2, "size": 32, "seed": 1},
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a working directory with the data of all examples, few of each."""
    folder = tmp_path_factory.mktemp("examples")
    (folder / "examples").symlink_to(REPOSITORY / "examples")
    with contextlib.redirect_stderr(io.StringIO()):
        for name, fields in SMALL.items():
            write_example(Example(folder / name, **fields))
    return folder


def run(folder: Path, name: str, *flags: str) -> Outcome:
    return call("run", f"--config=examples/json/{name}.json", *flags, folder=folder)


@pytest.fixture(scope="module")
def trained(folder: Path) -> Path:
    """Return the working directory after the classifier was trained for an epoch."""
    small = ("--set", "num_epochs=1", "checkpoints.interval=1", "ddl.tensorboard=false")
    outcome = run(folder, "classification", *small)
    assert outcome.status == 0, outcome.told
    return folder


def settings(name: str, folder: Path) -> list[str]:
    """Return flags that make an example short, and let it find what was trained."""
    found = ["--set", "ddl.tensorboard=false"]
    if name != "inference":
        found.append("num_epochs=1")
    if name == "gan":
        found.append("gan.score_samples=20")
    if name == "inference":
        found.append("checkpoints.load=model_classification/model_checkpoint_1.pt")
    if name == "transfer":
        found.append("checkpoints.load=classification.run/checkpoints/epoch-0001.h5")
    return found


def test_these_are_all_examples() -> None:
    assert sorted(path.stem for path in EXAMPLES.glob("*.json")) == sorted(NAMES)


@pytest.mark.parametrize("name", [name for name in NAMES if name not in ("inference", "transfer")])
def test_an_example_is_checked_without_a_word_of_complaint(folder: Path, name: str) -> None:
    outcome = run(folder, name, "--dry-run")
    assert outcome.status == 0, outcome.told
    assert "In flags: python scripts/train_" in outcome.told + outcome.printed
    assert not (folder / f"{name}-2.run").exists()


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=() if name in QUICK else pytest.mark.proof)
        for name in NAMES
        if name != "classification"
    ],
)
def test_an_example_runs(trained: Path, name: str) -> None:
    outcome = run(trained, name, *settings(name, trained))
    assert outcome.status == 0, outcome.told
    lines = (trained / f"{name}.run" / "history.jsonl").read_text().splitlines()
    assert ("val_kid" if name == "gan" else "val_loss") in json.loads(lines[-1])
    document = json.loads((EXAMPLES / f"{name}.json").read_text())["neural_network"]
    for place in ("test_output_path", "hdf5_outfile"):
        if place in document["data"]:
            assert (trained / document["data"][place]).exists()


def test_the_page_has_each_example_and_its_picture() -> None:
    page = (REPOSITORY / "docs" / "json_examples.md").read_text()
    titles = re.findall(r"^### .*: `(\w+)\.json`$", page, flags=re.MULTILINE)
    assert titles == list(NAMES)
    pictures = {Path(path).stem for path in re.findall(r"\]\((json/\w+\.jpg)\)", page)}
    assert pictures == {*NAMES} - {"inference"}
    for picture in pictures:
        assert (REPOSITORY / "docs" / "json" / f"{picture}.jpg").is_file()
