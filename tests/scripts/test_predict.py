"""scripts/predict.py and the closer look of scripts/evaluate.py as a user starts them."""

from __future__ import annotations

import csv
import dataclasses
import json
import re
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from ddl.data.pictures import read_mask
from ddl.inference.inspection import Inspection
from ddl.inference.prediction import Prediction
from tests.inference.models import make_pictures, make_run
from tests.launch import REPOSITORY, run_ranks

SIZES = [(40, 40), (23, 61), (9, 7), (40, 40), (90, 70)]
SCRIPTS = REPOSITORY / "scripts"


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_run(tmp_path_factory.mktemp("runs") / "unet", shape=(32, 32, 3))


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_pictures(tmp_path_factory.mktemp("pictures"), SIZES)


def main_of(script: str) -> Callable[[list[str]], None]:
    sys.path.insert(0, str(SCRIPTS))
    try:
        module = __import__(script)
    finally:
        sys.path.pop(0)
    main: Callable[[list[str]], None] = module.main
    return main


def run_here(script: str, *arguments: object) -> int:
    """Run a script in this process, where its start costs nothing; return its status."""
    with pytest.raises(SystemExit) as ended:
        main_of(script)([str(one) for one in arguments])
    return int(ended.value.code or 0)


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
    shown = run_ranks(["-c", program], 1, "none").output
    assert "loaded []" in shown
    for field in dataclasses.fields(fields):
        name = field.name if field.default is dataclasses.MISSING else field.name.replace("_", "-")
        assert re.search(rf"^  (--)?{name}[ \n].*\w+", shown, re.MULTILINE), field.name


def test_two_ranks_write_the_bytes_that_one_writes(
    tmp_path: Path, run_dir: Path, pictures: Path
) -> None:
    found = []
    for ranks, launcher in ((1, "none"), (2, "mpirun")):
        folder = tmp_path / str(ranks)
        arguments = [SCRIPTS / "predict.py", run_dir, pictures, folder, "--tile", "32"]
        arguments += ["--overlap", "12", "--probabilities", "true", "--overlay", "true"]
        result = run_ranks([*arguments, "--batch-size", "2"], ranks, launcher)
        assert result.returncode == 0, result.output
        assert "5 predicted, 0 skipped" in result.output
        found.append(read_all(folder))
    assert found[0] == found[1]
    names = [f"{n}.{end}" for n in range(5) for end in ("overlay.png", "png", "probabilities.npy")]
    assert sorted(found[0]) == [*names, "predict.json"]
    for index, size in enumerate(SIZES):
        mask = read_mask(tmp_path / "1" / f"{index}.png")[..., 0]
        chances = np.load(tmp_path / "1" / f"{index}.probabilities.npy")[..., 0]
        assert mask.shape == size
        np.testing.assert_array_equal(mask, chances > 0.5)
    assert chances.std() > 1e-3


def test_done_results_stay_and_other_options_are_refused(
    tmp_path: Path, run_dir: Path, pictures: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "out"
    command = ("predict", run_dir, pictures, folder, "--format", "npy", "--batch-size", "1")
    assert run_here(*command) == 0
    first = read_all(folder)
    kept = (folder / "0.npy").stat().st_mtime_ns
    (folder / "3.npy").unlink()
    (folder / ".77.3.npy").write_bytes(b"what a killed run left")
    assert run_here(*command) == 0
    assert read_all(folder) == first
    assert (folder / "0.npy").stat().st_mtime_ns == kept
    capsys.readouterr()
    assert run_here(*command, "--threshold", "0.4") == 2
    assert "Received: threshold=0.4, but the results" in capsys.readouterr().err
    assert read_all(folder) == first


def test_pictures_of_a_resized_training_keep_their_own_sizes(
    tmp_path: Path, pictures: Path
) -> None:
    how = {"image_size": (16, 32)}
    run = make_run(tmp_path / "run", shape=(16, 32, 3), image_size=(16, 32), preprocessing=how)
    for scale in ("trained", "native"):
        assert run_here("predict", run, pictures, tmp_path / scale, "--scale", scale) == 0
        for index, size in enumerate(SIZES):
            assert read_mask(tmp_path / scale / f"{index}.png").shape[:2] == size


def test_a_bad_picture_is_named_and_stops_or_is_skipped(
    tmp_path: Path, run_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = make_pictures(tmp_path / "pictures", SIZES[:3])
    (folder / "1.png").write_bytes((folder / "1.png").read_bytes()[:300])
    assert run_here("predict", run_dir, folder, tmp_path / "skip", "--on-error", "skip") == 0
    out = capsys.readouterr()
    assert "2 predicted, 1 skipped" in out.out
    assert re.search(r"predict: skipped: Received: \S+/1.png, which is damaged", out.err)
    assert sorted(read_all(tmp_path / "skip")) == ["0.png", "2.png", "predict.json"]
    result = run_ranks(
        [SCRIPTS / "predict.py", run_dir, folder, tmp_path / "stop", "--batch-size", "1"], 2
    )
    assert result.returncode == 2, result.output
    assert re.search(r"predict \(rank \d\): Received: \S+/1.png, which is damaged", result.output)
    assert "Traceback" not in result.output


def test_volumes_by_tiles(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", shape=(8, 16, 16, 1))
    volumes = tmp_path / "volumes"
    volumes.mkdir()
    np.save(volumes / "a.npy", np.random.default_rng(0).random((21, 30, 25), np.float32))
    command = ("predict", run, volumes, tmp_path / "out", "--format", "tiff", "--tile", "16")
    assert run_here(*command, "--overlap", "4", "--tta", "flips", "--probabilities", "true") == 0
    assert np.load(tmp_path / "out/a.probabilities.npy").shape == (21, 30, 25, 1)
    assert run_here("predict", run, volumes, tmp_path / "png") == 2


def test_labels_become_one_table(tmp_path: Path, pictures: Path) -> None:
    run = make_run(
        tmp_path / "run", shape=(32, 32, 3), classes=3, model="resnet20", model_option={},
        loss="categorical_crossentropy", metric=("top_1",),
        preprocessing={"image_size": (32, 32), "class_names": ("a", "b", "c")},
    )  # fmt: skip
    arguments = (run, pictures, tmp_path / "out", "--tta", "flips", "--batch-size", "2")
    for _ in range(2):  # the second time, all is there
        assert run_here("predict", *arguments) == 0
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
        (["--tile", "30"], "Received: tile=30, overlap=15. Expected: a multiple of 4"),
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
    tmp_path: Path, run_dir: Path, pictures: Path, capsys: pytest.CaptureFixture[str],
    flags: list[str], words: str,
) -> None:  # fmt: skip
    assert run_here("predict", run_dir, pictures, tmp_path / "out", *flags) == 2
    error = capsys.readouterr().err
    assert words in error
    assert error.count("\n") == 1
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
    assert run_here("predict", run_dir, pictures, output) == 2
    assert (read_all(tmp_path), read_all(run_dir)) == before


def test_a_closer_look_finds_what_kerass_evaluation_finds(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = make_run(
        tmp_path / "run", shape=(32, 32, 3), image_size=(32, 32), data_option={"count": 12},
        validation_part=0.5, metric=("dice", "iou", "recall"),
    )  # fmt: skip
    assert run_here("evaluate", run, "--metric", "dice", "iou", "recall", "confusion_matrix") == 0
    plain = json.loads(capsys.readouterr().out)
    files = {
        "--per-picture": tmp_path / "all.csv",
        "--confusion": tmp_path / "confusion.txt",
        "--worst-sheet": tmp_path / "worst.png",
        "--output": tmp_path / "closer.json",
    }
    arguments = [SCRIPTS / "evaluate.py", run, "--worst", "2", "--per-rank-batch-size", "2"]
    arguments += [word for pair in files.items() for word in pair]
    result = run_ranks([*arguments, "--metric", "dice", "iou", "recall", "confusion_matrix"], 2)
    assert result.returncode == 0, result.output
    closer = json.loads((tmp_path / "closer.json").read_text())
    assert closer.keys() == plain.keys()
    for name in ("loss", "dice", "iou", "recall", "confusion_matrix"):
        np.testing.assert_allclose(closer[name], plain[name], rtol=1e-5, err_msg=name)
    with files["--per-picture"].open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == closer["samples"] == 6
    assert np.mean([float(row["dice"]) for row in rows]) == pytest.approx(closer["dice"], abs=1e-5)
    table = files["--confusion"].read_text().split()
    assert table[:5] == ["true", "\\", "found", "0", "1"]
    assert files["--worst-sheet"].read_bytes()[:4] == b"\x89PNG"
