"""Data that a training cannot take, and a piece of the one line that tells so."""

from __future__ import annotations

import numpy as np

from tests.data import make
from tests.scripts.spoiled import (
    LABELS,
    MASKS,
    PICTURES,
    SPLIT,
    Row,
    cut,
    cut_file,
    deep_tiff_cut,
    file,
    folder,
    h5,
    idx_cut,
    idx_gzip_cut,
    idx_gzip_of_text,
    idx_labels,
    mask_of_other_size,
    npz,
    pairs,
    pairs_cut,
    pairs_without,
    picture_cut,
    picture_of_other_size,
    then,
)

UNET, RESNET = "train_unet --run-dir run ", "train_resnet --run-dir run "
IN, H5, NPZ = UNET + "--data in ", UNET + "--data a.h5 ", UNET + "--data a.npz "
LONG = "x" * 300

DATA = [
    Row(UNET + "--data nowhere", "nowhere, which does not exist. Expected: a file or folder."),
    Row(UNET + "--data nowhere --data-option count=3", "nowhere, which does not exist"),
    Row(UNET + f"--data {LONG}", "which cannot be read (File name too long)"),
    Row(IN, "in, which is an empty folder. Expected: hdf5: NAME.h5; ", folder("in")),
    Row(IN, "in, which has no known format", file("in")),
    Row(IN, "which has no pictures", then(folder("in/images"), folder("in/masks"))),
    Row(UNET + "--validation-data nowhere", "nowhere, which does not exist"),
    Row(IN, "cell-1.png without a mask", pairs_without("cell-1_mask.gif")),
    Row(IN, "cell-1_mask.gif without a picture", pairs_without("cell-1.png")),
    Row(IN, "cell-1.png of 32 x 32 pixels", picture_of_other_size),
    Row(IN + "--image-size 16", "cell-0_mask.gif of 16 x 16 pixels for", mask_of_other_size),
    Row(IN, "cell-0.png, which is damaged", pairs_cut("cell-0.png")),
    Row(IN, "cell-0_mask.gif, which is damaged", pairs_cut("cell-0_mask.gif")),
    Row(IN, "cell-0.tif, which is damaged", picture_cut("cell-0.tif")),
    Row(IN, "cell-0.jpg, which is damaged", picture_cut("cell-0.jpg")),
    Row(IN, "cell-0.gif, which is damaged", picture_cut("cell-0.gif")),
    Row(IN, "cell-0.tif, which is damaged", deep_tiff_cut),
    Row(
        IN + "--data-option channels=cmyk",
        "channels='cmyk'. Expected one of: grey, rgb, rgba",
        pairs,
    ),
    Row(IN + "--data-option pixel_limit=9", "of 32 x 16 pixels. Expected: 1 to 9", pairs),
    Row(
        IN + "--validation-data a.npz",
        "training samples of 16x32x3, validation samples of 16x16x1",
        then(pairs, npz(images=PICTURES[..., :1], masks=MASKS)),
    ),
    Row(H5, "not an intact HDF5 file", file("a.h5")),
    Row(H5, "not an intact HDF5 file", then(h5(image=PICTURES, mask=MASKS), cut_file("a.h5"))),
    Row(H5, "a.h5 with nothing. Expected: image, mask or", h5()),
    Row(H5, "a.h5 with foo, oof. Expected: image, mask or", h5(foo=PICTURES, oof=MASKS)),
    Row(
        H5,
        "data with image from a.h5, for model unet. Expected: image and mask",
        h5(image=PICTURES),
    ),
    Row(H5, "6 of image, 2 of mask. Expected: the same number", h5(image=PICTURES, mask=MASKS[:2])),
    Row(
        H5,
        "pictures of 16x16x3 with masks of 16x16x2",
        h5(image=PICTURES, mask=np.repeat(MASKS, 2, -1)),
    ),
    Row(H5, "pictures of 16x16x3 with masks of 8x16x1", h5(image=PICTURES, mask=MASKS[:, :8])),
    Row(
        H5 + "--image-size 16x32",
        "image_size=16x32, but a.h5 holds samples of 16x16x3",
        h5(image=PICTURES, mask=MASKS),
    ),
    Row(H5 + "--fold 0", "a.h5 without folds", h5(image=PICTURES, mask=MASKS, split=SPLIT)),
    Row(
        H5 + "--fold 7",
        "fold=7. Expected: train or validation, of folds 0 to 1",
        h5(image=PICTURES, mask=MASKS, split=SPLIT * 0, fold=SPLIT),
    ),
    Row(
        H5 + "--validation-part 0.3",
        "a.h5, which has splits of its own",
        h5(image=PICTURES, mask=MASKS, split=SPLIT),
    ),
    Row(H5, "no validation samples in a.h5", h5(image=PICTURES, mask=MASKS, split=SPLIT * 0)),
    Row(H5, "no training samples in a.h5", h5(image=PICTURES, mask=MASKS, split=SPLIT * 0 + 1)),
    Row(
        H5 + "--classes 2",
        "class 9 in sample 0. Expected: 0 to 1",
        h5(image=PICTURES, mask=MASKS + 9),
    ),
    Row(
        H5,
        "pictures of dtype int64. Expected: floats or unsigned",
        h5(image=PICTURES.astype(int), mask=MASKS),
    ),
    Row(NPZ, "not an intact .npz archive", file("a.npz")),
    Row(
        NPZ,
        "not an intact .npz archive",
        then(npz(images=PICTURES, masks=MASKS), cut_file("a.npz")),
    ),
    Row(
        NPZ + "--data-option keys=x,y",
        "a.npz with images, masks. Expected: x, y",
        npz(images=PICTURES, masks=MASKS),
    ),
    Row(NPZ, "of shape (16, 16) per sample", npz(images=PICTURES[..., 0], masks=MASKS)),
    Row(NPZ, "pictures of 16x16x3 with masks of 16x16x3", npz(images=PICTURES, masks=PICTURES)),
    Row(IN, "not an intact .npy array", lambda here: cut(make.npy(here / "in") / "images.npy")),
    Row(
        IN,
        "with 0 of masks.npy and labels.npy",
        lambda here: (make.npy(here / "in") / "masks.npy").unlink(),
    ),
    Row(RESNET + "--data in", "bytes of data. Expected: 960, as in its header", idx_cut),
    Row(RESNET + "--data in", "damaged or cut short", idx_gzip_cut),
    Row(RESNET + "--data in", "Expected:", idx_gzip_of_text),
    Row(RESNET + "--data in", "5 of image, 4 of label", idx_labels(lambda labels: labels[:4])),
    Row(
        RESNET + "--data in",
        "one class in in for model resnet18",
        idx_labels(np.zeros_like),
    ),
    Row(
        RESNET + "--data in --classes 3",
        "Expected: 0 to 2; correct the sample, or increase the number of classes",
        idx_labels(lambda labels: labels),
    ),
    Row(
        RESNET + "--data in",
        "emu without a picture",
        lambda here: (make.classes(here / "in") / "emu").mkdir(),
    ),
    Row(
        RESNET + "--data a.npz",
        "dtype float64. Expected: one integer per sample",
        npz(images=PICTURES, labels=LABELS / 2),
    ),
    Row(RESNET + "--data a.npz", "label -1 in sample", npz(images=PICTURES, labels=LABELS - 1)),
    Row(
        RESNET + "--data a.npz",
        "samples of 16x16x16x3 from a.npz, for model resnet18",
        npz(images=np.zeros((6, 16, 16, 16, 3), np.uint8), labels=LABELS),
    ),
    Row(
        H5 + "--loss focal --loss-option alpha=0.5 --classes 2",
        "loss_option alpha of loss focal with 2",
        h5(image=PICTURES, mask=MASKS),
    ),
]
