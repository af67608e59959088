"""scripts/predict.py and the closer look of scripts/evaluate.py as a user starts them."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import re
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ddl.data.pictures.picture_file import read_mask
from ddl.inference.inspection.inspection import Inspection
from ddl.inference.prediction.prediction import Prediction
from tests.data import make
from tests.inference.models import make_pictures, make_run
from tests.launch import REPOSITORY
from tests.ranks.scripts import run_script
from tests.scoring.test_deployed_model import BROKEN_EXIF
from tests.scripts.in_process import call

SIZES = [(40, 40), (23, 61), (9, 7), (40, 40), (90, 70)]
SCRIPTS = REPOSITORY / "scripts"


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_run(tmp_path_factory.mktemp("runs") / "unet", shape=(32, 32, 3))


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_pictures(tmp_path_factory.mktemp("pictures"), SIZES)


def read_all(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.mark.parametrize(("script", "fields"), [("predict", Prediction), ("evaluate", Inspection)])
def test_help_answers_without_tensorflow_and_documents_every_flag(
    script: str, fields: type
) -> None:
    program = (
        "import sys, runpy\n"
        f"sys.argv = ['{script}.py', '--help']\n"
        "try:\n"
        f"    runpy.run_path({str(SCRIPTS / script)!r} + '.py', run_name='__main__')\n"
        "except SystemExit:\n"
        "    print('loaded', [n for n in ('tensorflow', 'keras', 'matplotlib') if n in sys.modules])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True
    )
    assert "loaded []" in done.stdout
    for field in dataclasses.fields(fields):
        name = field.name if field.default is dataclasses.MISSING else field.name.replace("_", "-")
        assert re.search(rf"^  (--)?{name}[ \n].*\w+", done.stdout, re.MULTILINE), field.name


TILED = ("--tile", "32", "--overlap", "12", "--probabilities", "true", "--overlay", "true")


@pytest.fixture(scope="module")
def predicted(tmp_path_factory: pytest.TempPathFactory, run_dir: Path, pictures: Path) -> Path:
    """Predict by tiles on one rank."""
    folder = tmp_path_factory.mktemp("predicted") / "out"
    outcome = call("predict", run_dir, pictures, folder, *TILED, "--batch-size", "2")
    assert outcome.status == 0, outcome.told
    assert "5 predicted, 0 skipped" in outcome.printed
    return folder


def test_each_picture_gets_its_files(predicted: Path) -> None:
    names = [f"{n}.{end}" for n in range(5) for end in ("overlay.png", "png", "probabilities.npy")]
    assert sorted(read_all(predicted)) == [*names, "predict.json"]


def test_a_mask_has_its_pictures_size_and_is_where_the_probability_is_above_half(
    predicted: Path,
) -> None:
    for index, size in enumerate(SIZES):
        mask = read_mask(predicted / f"{index}.png")[..., 0]
        chances = np.load(predicted / f"{index}.probabilities.npy")[..., 0]
        assert mask.shape == size
        np.testing.assert_array_equal(mask, chances > 0.5)
    assert chances.std() > 1e-3


def test_ranks_of_as_many_threads_write_the_same_bytes(
    tmp_path: Path, run_dir: Path, pictures: Path, predicted: Path
) -> None:
    flags = (*TILED, "--batch-size", "2")
    for ranks in (2, 3):  # of one thread each, on as many cores as one process has alone
        arguments = [run_dir, pictures, tmp_path / f"{ranks}", *flags]
        result = run_script("scripts/predict", arguments, ranks=ranks)
        assert result.returncode == 0, result.output
        assert "5 predicted, 0 skipped" in result.output
    two = read_all(tmp_path / "2")
    assert two == read_all(tmp_path / "3")
    assert sorted(two) == sorted(read_all(predicted))
    for index in range(len(SIZES)):  # one process may have more threads, which round otherwise
        name = f"{index}.probabilities.npy"
        np.testing.assert_allclose(
            np.load(tmp_path / "2" / name), np.load(predicted / name), atol=1e-6
        )


def test_done_results_stay_and_other_options_are_refused(
    tmp_path: Path, run_dir: Path, pictures: Path
) -> None:
    folder = tmp_path / "out"
    command = ("predict", run_dir, pictures, folder, "--format", "npy", "--batch-size", "1")
    assert call(*command).status == 0
    first = read_all(folder)
    kept = (folder / "0.npy").stat().st_mtime_ns
    (folder / "3.npy").unlink()
    (folder / ".77.3.npy").write_bytes(b"what a killed run left")
    assert call(*command).status == 0
    assert read_all(folder) == first
    assert (folder / "0.npy").stat().st_mtime_ns == kept
    refused = call(*command, "--threshold", "0.4")
    assert refused.status == 2
    assert "Received: threshold=0.4, but the results" in refused.told
    assert read_all(folder) == first


def test_pictures_of_a_resized_training_keep_their_own_sizes(
    tmp_path: Path, pictures: Path
) -> None:
    how = {"image_size": (16, 32)}
    run = make_run(tmp_path / "run", shape=(16, 32, 3), image_size=(16, 32), preprocessing=how)
    for scale in ("trained", "native"):
        outcome = call("predict", run, pictures, tmp_path / scale, "--scale", scale)
        assert outcome.status == 0, outcome.told
        for index, size in enumerate(SIZES):
            assert read_mask(tmp_path / scale / f"{index}.png").shape[:2] == size


@pytest.fixture
def one_damaged(tmp_path: Path) -> Path:
    folder = make_pictures(tmp_path / "pictures", SIZES[:3])
    (folder / "1.png").write_bytes((folder / "1.png").read_bytes()[:300])
    return folder


def test_a_bad_picture_is_named_and_skipped(
    tmp_path: Path, run_dir: Path, one_damaged: Path
) -> None:
    folder = tmp_path / "out"
    outcome = call("predict", run_dir, one_damaged, folder, "--on-error", "skip")
    assert outcome.status == 0
    assert "2 predicted, 1 skipped" in outcome.printed
    assert re.search(r"predict: skipped: Received: \S+/1.png, which is damaged", outcome.told)
    assert sorted(read_all(folder)) == ["0.png", "2.png", "predict.json"]


def test_a_bad_picture_is_named_and_stops(tmp_path: Path, run_dir: Path, one_damaged: Path) -> None:
    outcome = call("predict", run_dir, one_damaged, tmp_path / "out", "--batch-size", "1")
    assert outcome.status == 2
    assert re.search(r"predict.*: Received: \S+/1.png, which is damaged", outcome.told)


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.tif", "a.gif"])
def test_what_is_no_picture_gets_one_line(tmp_path: Path, run_dir: Path, name: str) -> None:
    (tmp_path / name).write_text("These are my notes, and no picture.")
    outcome = call("predict", run_dir, tmp_path / name, tmp_path / "out")
    assert outcome.status == 2
    assert outcome.told.count("\n") == 1, outcome.told
    assert re.match(rf"predict \(rank 0\): Received: \S+/{name}, which is damaged", outcome.told)


@pytest.mark.parametrize("script", ["predict", "prepare_data"])
def test_pillows_warnings_are_no_second_line(tmp_path: Path, run_dir: Path, script: str) -> None:
    """A JPEG that is cut short, of which Pillow first says that its EXIF data are corrupt."""
    whole, folder = io.BytesIO(), tmp_path / "in"
    noise = np.random.default_rng(0).integers(0, 255, (32, 32, 3)).astype(np.uint8)
    Image.fromarray(noise).save(whole, "JPEG", exif=BROKEN_EXIF)
    make.pairs(folder, 12, height=32, width=32)
    for path in folder.glob("cell-7.png"):
        path.with_suffix(".jpg").write_bytes(whole.getvalue()[:-200])
        path.unlink()
    arguments = {
        "predict": [run_dir, folder / "cell-7.jpg", tmp_path / "out"],
        "prepare_data": [folder, tmp_path / "out.h5", "--workers", "1"],
    }
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        outcome = call(script, *arguments[script])
    assert [str(warning.message) for warning in said] == []
    assert outcome.status == 2
    assert outcome.told.count("\n") == 1, outcome.told


def test_volumes_by_tiles(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", shape=(8, 16, 16, 1))
    volumes = tmp_path / "volumes"
    volumes.mkdir()
    np.save(volumes / "a.npy", np.random.default_rng(0).random((21, 30, 25), np.float32))
    command = ("predict", run, volumes, tmp_path / "out", "--format", "tiff", "--tile", "16")
    flags = ("--overlap", "4", "--tta", "flips", "--probabilities", "true")
    assert call(*command, *flags).status == 0
    assert np.load(tmp_path / "out/a.probabilities.npy").shape == (21, 30, 25, 1)
    assert call("predict", run, volumes, tmp_path / "png").status == 2


def test_labels_become_one_table(tmp_path: Path, pictures: Path) -> None:
    run = make_run(
        tmp_path / "run", shape=(32, 32, 3), classes=3, model="resnet20", model_option={},
        loss="categorical_crossentropy", metric=("top_1",),
        preprocessing={"image_size": (32, 32), "class_names": ("a", "b", "c")},
    )  # fmt: skip
    arguments = (run, pictures, tmp_path / "out", "--tta", "flips", "--batch-size", "2")
    for _ in range(2):  # the second time, all is there
        assert call("predict", *arguments).status == 0
        with (tmp_path / "out/predictions.csv").open() as file:
            rows = list(csv.DictReader(file))
        assert [row["name"] for row in rows] == ["0", "1", "2", "3", "4"]
        for row in rows:
            chances = [float(row[f"p_{name}"]) for name in "abc"]
            assert sum(chances) == pytest.approx(1, abs=1e-5)
            assert row["class"] == "abc"[int(np.argmax(chances))]
        assert sorted(read_all(tmp_path / "out")) == ["predict.json", "predictions.csv"]


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (
            ["--tile", "30"],
            "Received: tile=30, overlap=15. Expected: a tile that is a multiple of 4",
        ),
        (["--tile", "32", "--overlap", "32"], "and an overlap of at most the tile minus 4"),
        (["--tile", "32x32x32"], "for a model of 2 axes"),
        (["--threshold", "1.5"], "Received: threshold=1.5"),
        (["--backend", "torch"], "Received: backend='torch'"),
        (["--format", "bmp"], "Received: format='bmp'"),
        (["--checkpoint", "best"], "Expected: "),
        (["--batch-size", "0"], "Received: batch_size=0"),
    ],
)
def test_bad_flags_end_in_one_line_before_anything_is_written(
    tmp_path: Path, run_dir: Path, pictures: Path, flags: list[str], words: str
) -> None:
    outcome = call("predict", run_dir, pictures, tmp_path / "out", *flags)
    assert outcome.status == 2
    assert words in outcome.told
    assert outcome.told.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("place", ["run", "taken", "file"])
def test_a_folder_with_something_else_in_it_is_left_alone(
    tmp_path: Path, run_dir: Path, pictures: Path, place: str
) -> None:
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "thesis.txt").write_text("mine")
    (tmp_path / "file").write_text("mine")
    output = run_dir if place == "run" else tmp_path / place
    before = read_all(tmp_path), read_all(run_dir)
    assert call("predict", run_dir, pictures, output).status == 2
    assert (read_all(tmp_path), read_all(run_dir)) == before


METRICS = ("--metric", "dice", "iou", "recall", "confusion_matrix")


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], Path]:
    """Evaluate a run: plainly on one rank, and with a closer look on two, whose files are in the folder."""
    folder = tmp_path_factory.mktemp("evaluated")
    run = make_run(
        folder / "run", shape=(32, 32, 3), image_size=(32, 32), data_option={"count": 12},
        validation_part=0.5, metric=("dice", "iou", "recall"),
    )  # fmt: skip
    plain = call("evaluate", run, *METRICS)
    assert plain.status == 0, plain.told
    files = {
        "--per-picture": folder / "all.csv",
        "--confusion": folder / "confusion.txt",
        "--worst-sheet": folder / "worst.png",
        "--output": folder / "closer.json",
    }
    flags = ["--worst", "2", "--per-rank-batch-size", "2", *METRICS]
    flags += [word for pair in files.items() for word in pair]
    result = run_script("scripts/evaluate", [run, *flags])
    assert result.returncode == 0, result.output
    return json.loads(plain.printed), folder


def test_a_closer_look_finds_what_kerass_evaluation_finds(
    evaluated: tuple[dict[str, Any], Path],
) -> None:
    plain, folder = evaluated
    closer = json.loads((folder / "closer.json").read_text())
    assert closer.keys() == plain.keys()
    for name in ("loss", "dice", "iou", "recall", "confusion_matrix"):
        np.testing.assert_allclose(closer[name], plain[name], rtol=1e-5, err_msg=name)


def test_a_closer_look_has_a_row_a_picture_whose_mean_is_the_metric(
    evaluated: tuple[dict[str, Any], Path],
) -> None:
    plain, folder = evaluated
    with (folder / "all.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == plain["samples"] == 6
    assert np.mean([float(row["dice"]) for row in rows]) == pytest.approx(plain["dice"], abs=1e-5)


def test_a_closer_look_writes_a_table_and_a_sheet(evaluated: tuple[dict[str, Any], Path]) -> None:
    table = (evaluated[1] / "confusion.txt").read_text().split()
    assert table[:5] == ["true", "\\", "found", "0", "1"]
    assert (evaluated[1] / "worst.png").read_bytes()[:4] == b"\x89PNG"


def test_overlay_of_x_beside_a_picture_x_overlay_is_refused_and_nothing_is_written(
    tmp_path: Path, run_dir: Path
) -> None:
    folder = make_pictures(tmp_path / "pictures", SIZES[:2])
    (folder / "1.png").rename(folder / "0.overlay.png")
    outcome = call("predict", run_dir, folder, tmp_path / "out", "--overlay", "true")
    assert outcome.status == 2
    assert outcome.told.count("\n") == 1
    assert "0.png" in outcome.told
    assert "which would both write 0.overlay.png. Expected: results of different" in outcome.told
    assert not (tmp_path / "out").exists()
