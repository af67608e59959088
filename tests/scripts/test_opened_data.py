"""What the data were taken for is said where they are opened: by conversion, dry runs, trainings and evaluation."""

from __future__ import annotations

import json
import logging
import shutil
from pathlib import Path

import imageio.v3 as iio
import numpy as np
import pytest

from tests.data import make
from tests.data.sources.picture_folders.test_split_classes import root
from tests.data.test_value_range import camera
from tests.inference.models import make_run
from tests.scripts.in_process import call

SMALL = ("--model-option", "width=2", "depth=2", "norm=none")


@pytest.fixture
def image_and_label(tmp_path: Path) -> Path:
    """Write 8 pictures in `image/` and their masks in `label/`."""
    make.pairs(tmp_path / "pairs", 8, height=16, width=32)
    for name in ("image", "label"):
        (tmp_path / "in" / name).mkdir(parents=True)
    for path in (tmp_path / "pairs").iterdir():
        folder = "label" if path.stem.endswith("_mask") else "image"
        shutil.copy(path, tmp_path / "in" / folder / path.name.replace("_mask", ""))
    return tmp_path / "in"


def test_prepare_data_says_what_it_read(image_and_label: Path, tmp_path: Path) -> None:
    flags = ("--image-size", "16", "--workers", "1")
    outcome = call("prepare_data", image_and_label, tmp_path / "a.h5", *flags)
    first, last = outcome.printed.splitlines()
    assert first == f"{image_and_label}: 8 pictures with masks, 16x32 RGB, read as 16x16 RGB."
    assert last == f"{tmp_path / 'a.h5'}: 8 samples, 0 skipped"


def test_prepare_data_says_what_classes_it_read(image_and_label: Path, tmp_path: Path) -> None:
    flags = ("--layout", "classes", "--workers", "1")
    outcome = call("prepare_data", image_and_label, tmp_path / "a.h5", *flags)
    assert f"{image_and_label}: 2 classes: image (8), label (8); pictures of" in outcome.printed


def test_prepare_data_names_its_own_flag_for_a_range(tmp_path: Path) -> None:
    folder = camera(tmp_path / "in", "png", 10)
    outcome = call("prepare_data", folder, tmp_path / "a.h5", "--workers", "1")
    assert "where 0 is black and 65535 is white: --range 0,4095 spreads them" in outcome.printed
    outcome = call("prepare_data", folder, tmp_path / "b.h5", "--workers", "1", "--range", "0,4095")
    assert "values 0,4095 scaled to 0 to 1." in outcome.printed


def test_a_dry_run_says_it_on_stderr_and_prints_the_plan_alone(image_and_label: Path) -> None:
    flags = ("--run-dir", "none", "--data", image_and_label, "--dry-run")
    outcome = call("train_unet", *flags, folder=image_and_label.parent)
    assert outcome.told == f"train_unet: {image_and_label}: 8 pictures with masks, 16x32 RGB.\n"
    assert json.loads(outcome.printed)["data"] == str(image_and_label)


def test_a_dry_run_says_both_of_training_and_validation_data(image_and_label: Path) -> None:
    pairs = image_and_label.parent / "pairs"
    flags = ("--run-dir", "none", "--data", image_and_label, "--validation-data", pairs)
    outcome = call("train_unet", *flags, "--dry-run", folder=image_and_label.parent)
    assert outcome.told.splitlines() == [
        f"train_unet: {image_and_label}: 8 pictures with masks, 16x32 RGB.",
        f"train_unet: {pairs}: 8 pictures with masks, 16x32 RGB.",
    ]


def test_a_dry_run_says_both_splits_of_a_root(tmp_path: Path) -> None:
    root(tmp_path / "in")
    flags = ("--run-dir", "none", "--data", "in", "--dry-run")
    assert call("train_resnet", *flags, folder=tmp_path).told.splitlines() == [
        "train_resnet: in: 3 classes: cat (2), dog (3), emu (1); pictures of 12x16 RGB.",
        "train_resnet: in, validation: 3 classes: cat (1), dog (0), emu (2); pictures of 12x16 RGB.",
    ]


def test_a_dry_run_names_the_flag_that_scales_12_bits(tmp_path: Path) -> None:
    folder = camera(tmp_path / "in", "tif", 10)
    flags = ("--run-dir", tmp_path / "none", "--data", folder, "--dry-run")
    outcome = call("train_unet", *flags)
    assert outcome.status == 0
    assert "--data-option range=0,4095 spreads them" in outcome.told


@pytest.fixture
def classes_in_masks(tmp_path: Path) -> Path:
    """Write 8 pictures, and masks with the numbers 0 to 2 and 255."""
    make.pairs(tmp_path / "in", 8, height=16, width=16)
    for path in (tmp_path / "in").glob("*_mask.gif"):
        path.unlink()
        mask = np.repeat(np.uint8([0, 1, 2, 255]), 64).reshape(16, 16)
        iio.imwrite(path.with_suffix(".png"), mask)
    return tmp_path / "in"


NUMBERS = "the masks hold 0 to 2, 255; all but 0 is foreground: "


def test_masks_of_several_numbers_that_are_read_as_black_and_white_are_said(
    classes_in_masks: Path, tmp_path: Path
) -> None:
    flags = ("--run-dir", "none", "--data", classes_in_masks, "--dry-run")
    outcome = call("train_unet", *flags, folder=tmp_path)
    option = "--data-option mask_mode=classes keeps them as class numbers."
    assert outcome.told.splitlines()[1] == f"train_unet: {classes_in_masks}: {NUMBERS}{option}"
    outcome = call("prepare_data", classes_in_masks, tmp_path / "a.h5", "--workers", "1")
    assert f"{NUMBERS}--mask-mode classes keeps them as class numbers.\n" in outcome.printed
    outcome = call("train_unet", *flags, "--data-option", "mask_mode=classes", "--classes", "256")
    assert "the masks hold" not in outcome.told


@pytest.mark.parametrize(
    ("flags", "received"),
    [
        ("--classes 3", "Received: classes=3 for masks"),
        ("--loss-option ignore_index=255", "Received: ignore_index=255 for masks"),
    ],
)
@pytest.mark.parametrize("is_prepared", [False, True])
def test_class_numbers_of_masks_that_are_read_as_black_and_white_are_refused(
    classes_in_masks: Path, tmp_path: Path, flags: str, received: str, is_prepared: bool
) -> None:
    data, remedy = classes_in_masks, "give --data-option mask_mode=classes, which keeps"
    if is_prepared:
        data, remedy = tmp_path / "a.h5", "prepare_data.py --mask-mode classes, which keeps"
        call("prepare_data", classes_in_masks, data, "--workers", "1", "--validation", "0.2")
    words = ("--run-dir", "none", "--data", data, *flags.split(), "--dry-run")
    outcome = call("train_unet", *words, folder=tmp_path)
    assert outcome.status == 2
    assert received in outcome.told
    assert remedy in outcome.told


def test_other_data_are_read_with_the_class_numbers_of_the_training(
    classes_in_masks: Path, tmp_path: Path
) -> None:
    file = tmp_path / "a.h5"
    options = ("--workers", "1", "--mask-mode", "classes", "--image-size", "16")
    call("prepare_data", classes_in_masks, file, *options)
    options = ("--loss-option", "ignore_index=255", "--loss", "dice", "--metric", "dice")
    where = ("--data", file, "--validation-data", classes_in_masks, "--run-dir", "run")
    flags = (*where, *options, *SMALL, "--epochs", "1", "--tensorboard", "false")
    outcome = call("train_unet", *flags, folder=tmp_path)
    assert outcome.status == 0, outcome.told
    outcome = call("evaluate", tmp_path / "run", "--data", classes_in_masks)
    assert outcome.status == 0, outcome.told
    found = json.loads(outcome.printed)["dice"]
    same = json.loads(call("evaluate", tmp_path / "run", "--data", file).printed)["dice"]
    assert found == pytest.approx(same, abs=1e-6)


def test_folders_of_strangers_are_said_with_their_names_as_they_are(tmp_path: Path) -> None:
    make.classes(tmp_path / "in")
    (tmp_path / "in" / "cat").rename(tmp_path / "in" / "cat\x1b[2J\u202e")
    outcome = call("prepare_data", tmp_path / "in", tmp_path / "a.h5", "--workers", "1")
    assert outcome.status == 0, outcome.told
    assert r"cat\x1b[2J\u202e (2)" in outcome.printed
    assert "\x1b" not in outcome.printed


def test_a_training_begins_with_it(
    image_and_label: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "ddl")
    flags = ("--run-dir", tmp_path / "run", "--data", image_and_label, "--epochs", "1")
    outcome = call("train_unet", *flags, *SMALL, "--tensorboard", "false")
    assert outcome.status == 0, outcome.told
    line = f"{image_and_label}: 8 pictures with masks, 16x32 RGB."
    first, *_ = (tmp_path / "run" / "log.txt").read_text().splitlines()
    assert first.endswith(f"INFO  {line}")


def test_evaluate_says_it_on_stderr(image_and_label: Path, tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", shape=(16, 32, 3))
    outcome = call("evaluate", run, "--data", image_and_label)
    assert outcome.told == f"evaluate: {image_and_label}: 8 pictures with masks, 16x32 RGB.\n"
    assert json.loads(outcome.printed)["samples"] == 8


MISTAKES = {
    "a size that differs": (
        "--data in",
        "Expected: one size; or give --image-size to resize them.",
    ),
    "an option of the data": (
        "--data in --image-size 16 --data-option pixel_limit=9",
        "raise --data-option pixel_limit if",
    ),
    "a cache that is too small": (
        "--cache memory --data-option count=10000000",
        "use --cache none to read the data again",
    ),
    "an option that is a flag": ("--data-option size=64", "Expected: --image-size, a flag of its"),
    "arrays": (
        "--data a.npz --image-size 8",
        "Expected: no --image-size, because these are not picture files.",
    ),
}


@pytest.mark.parametrize("case", MISTAKES)
def test_messages_from_flags_name_the_flag(tmp_path: Path, case: str) -> None:
    flags, message = MISTAKES[case]
    make.pairs(tmp_path / "in", 2)
    make.pairs(tmp_path / "more", 1, height=30, width=20)
    for name in ("cell-0.png", "cell-0_mask.gif"):
        (tmp_path / "more" / name).rename(tmp_path / "in" / name.replace("0", "9"))
    make.npz(tmp_path / "a.npz")
    outcome = call("train_unet", "--run-dir", "run", *flags.split(), folder=tmp_path)
    assert outcome.status == 2
    assert message in outcome.told


@pytest.mark.parametrize("place", ["run_setup.set_up", "loop.train_prepared"])
def test_messages_after_the_start_of_ranks_name_the_flag(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    from ddl.training.steps.bad_data import BadData

    def refuse(*_: object) -> None:
        kind = ValueError if place == "run_setup.set_up" else BadData
        raise kind("Received: x. Expected: one size; or give image_size to resize them.")

    monkeypatch.setattr(f"ddl.training.{place}", refuse)
    flags = ("--data-option", "count=8", "--image-size", "16", *SMALL)
    outcome = call("train_unet", "--run-dir", tmp_path / "run", *flags)
    assert outcome.status == 2
    assert "Expected: one size; or give --image-size to resize them." in outcome.told


def test_ctrl_c_during_an_evaluation_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("ddl.inference.predict_command.evaluate", interrupt)
    make.pairs(tmp_path / "in", 2, height=16, width=32)
    run = make_run(tmp_path / "run", shape=(16, 32, 3))
    outcome = call("evaluate", run, "--data", tmp_path / "in")
    assert (outcome.status, outcome.told) == (130, "\nevaluate: interrupted.\n")
    assert outcome.printed == ""


def test_prepare_data_names_its_own_flags(tmp_path: Path) -> None:
    make.pairs(tmp_path / "in", 9)
    outcome = call("prepare_data", tmp_path / "in", tmp_path / "a.h5", "--pixel-limit", "9")
    assert "raise --pixel-limit if you trust the picture" in outcome.told
