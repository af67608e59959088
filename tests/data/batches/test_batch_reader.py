"""Each sample is augmented by (seed, epoch, index), independent of the other samples in the batch."""

from __future__ import annotations

import numpy as np
import pytest

from ddl.data.batches.augmentation import Augmentation
from ddl.data.batches.batch_reader import BatchReader
from ddl.data.inputs_and_targets import LabelSamples, MaskSamples
from ddl.data.source import Source
from ddl.data.sources import open_source
from ddl.data.sources.arrays import Arrays

EVERYTHING = Augmentation(
    **dict.fromkeys(("flip", "right_angles"), True),
    rotation_degrees=20.0,
    elastic_pixels=2.0,
    gamma=0.3,
    noise=0.05,
    crop_size=16,
)


def samples_of(kind: str) -> Source:
    if kind == "faces":
        return LabelSamples(open_source("faces"), 2)
    return MaskSamples(open_source(kind, count=6, size=24))


@pytest.mark.parametrize(("kind", "sides"), [("synthetic", 2), ("synthetic-3d", 3), ("faces", 2)])
def test_each_sample_is_augmented_by_its_own_index(kind: str, sides: int) -> None:
    samples = samples_of(kind)
    read = BatchReader(samples, EVERYTHING, seed=3)
    wanted = np.array([5, 0, 2])
    pictures, targets = read(7, wanted)
    plain, plain_targets = samples.read(wanted).values()
    for row, index in enumerate(wanted):
        mask = plain_targets[row] if sides + 2 == plain_targets.ndim else None
        picture, moved = EVERYTHING(plain[row], mask, seed=3, epoch=7, index=int(index))
        assert np.array_equal(pictures[row], picture)
        assert np.array_equal(targets[row], plain_targets[row] if moved is None else moved)
    alone, _ = read(7, wanted[1:2])
    assert np.array_equal(alone[0], pictures[1])
    assert not np.array_equal(read(8, wanted)[0], pictures)
    for field, array in zip(read.fields, (pictures, targets), strict=True):
        assert array.shape[1:] == field.shape
        assert array.dtype == field.dtype
    assert read.fields[0].shape[:-1] == (16,) * sides


@pytest.mark.parametrize("augmentation", [None, EVERYTHING])
def test_no_samples_make_an_empty_batch(augmentation: Augmentation | None) -> None:
    read = BatchReader(samples_of("synthetic"), augmentation)
    empty = read(0, np.array([], np.int64))
    assert [part.shape for part in empty] == [(0, *field.shape) for field in read.fields]


def test_integers_come_in_unit_range_and_inputs_alone_are_fine() -> None:
    pictures = np.arange(4, dtype=np.uint16).reshape(4, 1, 1, 1) * 21845
    (made,) = BatchReader(Arrays({"image": pictures}, "test"))(0, np.array([1, 3]))
    assert made.dtype == np.float32
    assert made.ravel().tolist() == [np.float32(1 / 3), 1]
    (turned,) = BatchReader(Arrays({"image": pictures}, "test"), Augmentation(flip=True))(
        0, np.array([1, 3])
    )
    assert np.array_equal(turned, made)  # one pixel a picture


def test_unusable_samples_are_refused_before_anything_is_read() -> None:
    with pytest.raises(ValueError, match=r"dtype int32.*floats or unsigned"):
        BatchReader(Arrays({"image": np.zeros((1, 4, 4, 1), np.int32)}, "test"))
    samples = samples_of("synthetic")
    with pytest.raises(ValueError, match=r"crop_size=25 .*none larger than the picture"):
        BatchReader(samples, Augmentation(crop_size=25))
    with pytest.raises(ValueError, match=r"crop_size=\(8, 8, 8\) .*Expected: 2 sides"):
        BatchReader(samples, Augmentation(crop_size=(8, 8, 8)))
    flat = Arrays({"inputs": np.zeros((3, 5), np.float32)}, "test")
    with pytest.raises(ValueError, match=r"shape \(5,\). Expected: \(height, width, channels\)"):
        BatchReader(flat, Augmentation(flip=True))
