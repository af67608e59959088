"""scripts/evaluate.py --by and --occlusion: on two ranks what one finds; what samples cannot have is one line."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.inference.models import make_run
from tests.ranks.scripts import run_script
from tests.scripts.in_process import call

Looks = tuple[Path, dict[str, Any]]
FLAGS = ("--by", "size", "scanner", "--occlusion", "2", "--per-rank-batch-size", "3")


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a run of masks with six samples to look at."""
    return make_run(
        tmp_path_factory.mktemp("looks") / "run", shape=(32, 32, 3), image_size=(32, 32),
        data_option={"count": 12}, validation_part=0.5, metric=("dice",),
    )  # fmt: skip


@pytest.fixture(scope="module")
def one(run_dir: Path) -> Looks:
    """Return the folder and the results of one rank."""
    folder = run_dir.parent / "one"
    folder.mkdir()
    plain = call("evaluate", run_dir, "--per-picture", folder / "all.csv")
    assert plain.status == 0, plain.told
    with (folder / "all.csv").open() as file:
        names = [row["name"] for row in csv.DictReader(file)]
    lines = [f"{name},{'AB'[n % 2]}" for n, name in enumerate(names)]
    (run_dir.parent / "scanners.csv").write_text("\n".join(["name,scanner", *lines]) + "\n")
    return folder, looked(run_dir, folder)


def looked(run_dir: Path, folder: Path) -> dict[str, Any]:
    """Evaluate in the process of the test."""
    outcome = call("evaluate", run_dir, *words(run_dir, folder))
    assert outcome.status == 0, outcome.told
    results: dict[str, Any] = json.loads(outcome.printed)
    return results


def words(run_dir: Path, folder: Path) -> list[Any]:
    """Return the flags."""
    files = ["--by-table", run_dir.parent / "scanners.csv", "--occlusion-sheet", folder / "map.png"]
    return [*FLAGS, *files, "--output", folder / "results.json"]


def test_groups_hold_all_samples_and_their_means(one: Looks) -> None:
    by = one[1]["by"]
    assert sum(line["samples"] for line in by["size"]) == one[1]["samples"] == 6
    assert [(line["group"], line["samples"]) for line in by["scanner"]] == [("A", 3), ("B", 3)]
    means = [line["dice"] for line in by["scanner"]]
    assert np.mean(means) == pytest.approx(one[1]["dice"], abs=1e-5)
    assert all(line["loss"] > 0 for line in by["scanner"])


def test_the_worst_samples_are_hidden_part_by_part(one: Looks) -> None:
    found = one[1]["occlusion"]
    assert len(found) == 2
    assert found[0]["dice"] <= found[1]["dice"]
    assert all(item["patch"] == 4 and len(item["at"]) == 2 for item in found)
    with Image.open(one[0] / "map.png") as sheet:
        assert sheet.size == (780, 544)


def test_two_ranks_find_what_one_does(run_dir: Path, one: Looks) -> None:
    folder = run_dir.parent / "two"
    folder.mkdir()
    result = run_script("scripts/evaluate", [run_dir, *words(run_dir, folder)])
    assert result.returncode == 0, result.output
    two = json.loads((folder / "results.json").read_text())
    assert [line["samples"] for line in two["by"]["size"]] == [
        line["samples"] for line in one[1]["by"]["size"]
    ]
    for mine, theirs in zip(one[1]["by"]["scanner"], two["by"]["scanner"], strict=True):
        assert mine["dice"] == pytest.approx(theirs["dice"], abs=1e-5)
    for mine, theirs in zip(one[1]["occlusion"], two["occlusion"], strict=True):
        assert mine.pop("at") == theirs.pop("at")
        assert mine == pytest.approx(theirs, abs=1e-5)


def test_labels_have_a_class_and_a_map(tmp_path: Path) -> None:
    run = make_run(
        tmp_path / "run", shape=(16, 16, 3), classes=3, model="cnn", model_option={}, image_size=(16, 16),
        data="synthetic-labels", data_option={"count": 12, "classes": 3}, validation_part=0.5,
        loss="categorical_crossentropy", metric=("top_1",),
    )  # fmt: skip
    sheet = tmp_path / "map.png"
    looks = ["--by", "class", "intensity", "--occlusion", "1", "--occlusion-sheet", sheet]
    outcome = call("evaluate", run, *looks)
    assert outcome.status == 0, outcome.told
    results = json.loads(outcome.printed)
    assert sum(line["samples"] for line in results["by"]["class"]) == 6
    assert "p_true" in results["occlusion"][0]
    assert sheet.exists()


@pytest.mark.parametrize(
    ("flags", "problem"),
    [
        (("--by", "sice"), "by=sice. Did you mean 'size'?"),
        (("--by", "class"), "by=class for a model that predicts a mask."),
        (("--by-table", "none.csv"), "without by"),
        (("--by", "size", "--by-table", "none.csv"), "none.csv"),
        (("--occlusion", "9"), "occlusion=9 for evaluation. Expected: at least 0, at most 8"),
        (("--occlusion-patch", "4"), "occlusion_patch=4 without occlusion"),
        (("--occlusion", "1", "--occlusion-sheet", "a.jpg"), "ends in .png"),
    ],
)
def test_what_cannot_be_looked_at_is_one_line(
    run_dir: Path, flags: tuple[str, ...], problem: str
) -> None:
    outcome = call("evaluate", run_dir, *flags)
    assert outcome.status == 2
    assert outcome.told.count("\n") == 1
    assert problem in outcome.told
