"""Targets, transforms and validations that a training cannot take, and a piece of the one line that tells so."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tests.data import make
from tests.scripts.spoiled import Row, pairs

UNET, CNN = "train_unet --run-dir run ", "train_cnn --run-dir run "
IN = UNET + "--data in "
CODER = IN + "--target-data in --targets values "
FIRST = "--data-option format=channels-first "


def pictures(here: Path) -> None:
    make.pictures(here / "in", height=16, width=32)


def two_folders(here: Path) -> None:
    pictures(here)
    make.pictures(here / "out", 3, height=16, width=32)


def held_out_class(here: Path) -> None:
    make.classes(here / "in")
    make.classes(here / "held")
    (here / "held" / "dog").rename(here / "held" / "emu")


def arrays(here: Path) -> None:
    for name, channels in (("in", 2), ("out", 1)):
        (here / name).mkdir()
        for index in range(3):
            np.save(here / name / f"{index}", np.full((channels, 16, 16), 2.0 + index, np.float32))


TARGETS = [
    Row(IN + "--target-data nowhere", "nowhere, which does not exist", pictures),
    Row(IN + "--target-data out", "input cell-3.png and 1 more without a target", two_folders),
    Row(IN + "--targets values --loss binary_crossentropy", "set --target-data in", pictures),
    Row(IN + "--targets label", "targets=label for model unet, which predicts a mask", pairs),
    Row(CODER + "--metric dice --loss dice", "metric=dice for targets that are values", pictures),
    Row(CODER + "--loss dice_crossentropy", "for targets that are values. Expected: --loss mse", pictures),
    Row(
        CODER + "--loss binary_crossentropy --validation-target-data in",
        "validation_target_data=in without validation_data",
        pictures,
    ),
    Row(
        IN + FIRST + "--target-data out --target-data-option format=channels-first --targets values "
        "--loss binary_crossentropy",
        "values from 0 to 2 in the target of sample 0, for loss=binary_crossentropy",
        arrays,
    ),
    Row(IN + "--data-option format=arrays", "format='arrays'. Expected one of: synthetic,", pairs),
    Row(IN + "--data-option tag=train", "tag 'train' in in", pairs),
    Row(CNN + "--data in --validation-data held", "class 'emu' in held", held_out_class),
    Row(IN + "--transform rezise=8x8", "Did you mean 'resize'?", pairs),
    Row(IN + "--transform center_crop=64x64", "center_crop=64x64 of pictures of 16x32", pairs),
    Row(IN + "--transform random_patches=1,4", "Expected: in transform, with --targets values", pairs),
    Row(IN + "--transform convert_color=BGR2CMYK", "convert_color='BGR2CMYK'. Expected one of:", pairs),
    Row(IN + "--transform resize=16x16 --image-size 16", "image_size=16x16 with a resize", pairs),
    Row(IN + "--validation-part 0 --monitor val_loss", "monitor=val_loss with validation_part=0", pairs),
    Row(IN + "--validation-part 0 --target val_dice=0.9", "target=val_dice=0.9 with validation_part=0", pairs),
]  # fmt: skip
