"""Slices that cannot be cut or put together, and a piece of the one line that tells so."""

from __future__ import annotations

import numpy as np

from tests.scripts.spoiled import Row, cut_file, file, folder, h5, npz, then

RUN = "train_unet --run-dir run --data a.h5 "
PLAIN = "--slicer 'sizes=16,16' "
VALUES = np.zeros((1, 40, 40), np.float32)
MASKS = np.zeros((1, 40, 40), np.uint8)
GOOD = h5(input=VALUES, target=MASKS)

SLICES = [
    Row(RUN + "--slicer sizes=16", "shape 1x40x40, and slicers with sizes=16", GOOD),
    Row(RUN + "--slicer size=16,16", "'size'. Expected: sizes, name, padding", GOOD),
    Row(RUN + "--slicer 'sizes=16,16 padding=1,1 padded_sizes=18,18'", "Expected: one of them.", GOOD),
    Row(RUN + "--slicer 'sizes=16,16 strides=0,16'", "a whole number of at least 1", GOOD),
    Row(RUN + "--slicer 'sizes=8,8,8 transpose=true'", "transpose=true for samples of 3 axes", GOOD),
    Row(RUN + "--slicer 'sizes=16,16,16'", "and slicers with sizes=16,16,16", h5(input=MASKS[0])),
    Row(RUN + "--slicer 'name=a sizes=16,16' 'name=a sizes=16,16'", "two slicers with name=a", GOOD),
    Row(RUN + "--slicer 'sizes=64,64 discard_remainders=true'", "which gives no slice", GOOD),
    Row(RUN + "--slicer 'sizes=16,16' 'sizes=8,8'", "samples of 16x16 and 8x8. Expected: one shape", GOOD),
    Row(RUN + "--slicer 'sizes=10,10'", "pictures of 10x10 from a.h5, for model unet. Expected: sides", GOOD),
    Row(RUN + PLAIN, "a.h5, which does not exist"),
    Row(RUN + PLAIN, "a.h5, which is damaged", file("a.h5")),
    Row(RUN + PLAIN, "a.h5, which is damaged", then(GOOD, cut_file("a.h5"))),
    Row(RUN + PLAIN, "data with image from a.h5, for model unet", h5(input=VALUES)),
    Row(RUN + PLAIN, "a.h5 with a, b, for inputs to cut slices from", h5(a=VALUES, b=MASKS)),
    Row(RUN + PLAIN, "with targets of 1x40x41 in target of a.h5", h5(input=VALUES, target=np.zeros((1, 40, 41)))),
    Row(RUN + PLAIN, "masks of 16x16x2", h5(input=VALUES, target=np.zeros((2, 40, 40), np.uint8))),
    Row(RUN + PLAIN + "--data-option keys=x,y", "keys with x for a.h5, which has input, target", GOOD),
    Row(RUN + PLAIN + "--data-option split=train", "data_option split with slicer", GOOD),
    Row(RUN + PLAIN + "--image-size 16", "image_size=(16, 16) with slicer", GOOD),
    Row(RUN + PLAIN + "--fold 1", "fold=1 with slicer", GOOD),
    Row(RUN + PLAIN + "--validation-data a.npz", "training samples of 16x16x1, validation samples of 16x16x3",
        then(GOOD, npz(input=np.zeros((3, 40, 40), np.float32), target=MASKS))),
    Row(RUN + PLAIN + "--assembled-output a.h5", "assembled_output=a.h5, which is data, too", GOOD),
    Row(RUN + PLAIN + "--assembled-output in", "assembled_output=in, which is a folder", then(GOOD, folder("in"))),
    Row(RUN + PLAIN + "--assembled-output a.h5/b.h5", "but a.h5 is not a folder", GOOD),
    Row(RUN + PLAIN + "--assembled-precision half", "half without assembled_output", GOOD),
    Row(RUN + PLAIN + "--assembled-output o.h5 --assembled-precision double", "Expected one of: single, half", GOOD),
    Row(RUN + PLAIN + "--assembled-output o.h5 --transform rotate=30", "transform rotate=30. Expected: one", GOOD),
    Row(RUN + PLAIN + "--assembled-output o.h5 --validation-part 0", "o.h5 with validation_part=0", GOOD),
    Row(RUN + "--assembled-output o.h5", "assembled_output=o.h5 without slicer. Expected: both", GOOD),
    Row("train_cnn --run-dir run --data a.h5 " + PLAIN, "which predicts labels. Expected: a model", GOOD),
    Row("train_unet --run-dir run --data in " + PLAIN, "in, to cut slices from. Expected: one file", folder("in")),
    Row("evaluate run --tile 8 --assembled-output o.h5", "slices are predicted whole, by Keras"),
    Row("train_unet --run-dir run " + PLAIN, "synthetic, which does not exist"),
]  # fmt: skip
