"""Inputs are from 0 to 1, targets have the loss's dtype, and numbers that are not classes are refused."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from ddl.data.batches.sample_cache import Cached
from ddl.data.inputs_and_targets import ArraySamples, LabelSamples, MaskSamples, count_classes
from ddl.data.source import Field, Source, Subset
from ddl.data.sources import open_source
from ddl.data.sources.arrays import Arrays
from tests.data import make

IMAGES = np.stack([make.picture(index) for index in range(6)])


def masked(values: list[int], dtype: type = np.uint8) -> Arrays:
    """Return a source whose i-th mask is filled with values[i], except for a corner of 0."""
    masks = np.broadcast_to(np.array(values, dtype)[:, None, None, None], (len(values), 12, 16, 1))
    masks = masks.copy()
    masks[:, 0, 0] = 0
    return Arrays({"image": IMAGES[: len(values)], "mask": masks}, "test")


def labelled(labels: Any) -> Arrays:
    return Arrays({"image": IMAGES[: len(labels)], "label": np.asarray(labels)}, "test")


class Blind(Source):
    """A source that knows its labels only after reading its pictures."""

    def __init__(self, labels: list[int]) -> None:
        self._labels = np.array(labels)
        self.fields = {
            "image": Field((2, 2, 1), np.dtype(np.uint8)),
            "label": Field((), np.dtype(np.int64)),
        }

    def __len__(self) -> int:
        return len(self._labels)

    def read(self, indices: Any) -> dict[str, np.ndarray]:
        pictures = np.zeros((len(indices), 2, 2, 1), np.uint8)
        return {"image": pictures, "label": self._labels[indices]}

    def close(self) -> None:
        pass


def test_one_class_makes_0_and_1_of_any_mask() -> None:
    for source in (masked([0, 1, 255]), masked([0, 1, 7], np.float32)):
        batch = MaskSamples(source).read([2, 0])
        assert batch["image"].dtype == batch["mask"].dtype == np.float32
        assert batch["image"][0] == pytest.approx(IMAGES[2] / 255, abs=1e-6)
        assert batch["mask"][:, 5, 5, 0].tolist() == [1, 0]


def test_several_classes_stay_numbers() -> None:
    samples = MaskSamples(masked([0, 1, 3]), classes=4)
    batch = samples.read([2, 1])
    assert batch["mask"].dtype == samples.fields["mask"].dtype == np.int32
    assert batch["mask"][:, 5, 5, 0].tolist() == [3, 1]
    assert batch["mask"][:, 0, 0, 0].tolist() == [0, 0]
    assert samples.read([])["mask"].shape == (0, 12, 16, 1)


@pytest.mark.parametrize(
    ("make_samples", "message"),
    [
        (
            lambda: MaskSamples(masked([0, 1, 3]), classes=3).read([1, 2]),
            r"class 3 in sample 2\. Expected: 0 to 2; correct the sample, or increase",
        ),
        (
            lambda: MaskSamples(masked([0, -1, 1], np.int16), classes=3).read([1]),
            "class -1 in sample 1",
        ),
        (
            lambda: MaskSamples(masked([0, 1], np.float32), classes=3),
            "masks of dtype float32 for 3 classes. Expected: integer class numbers",
        ),
        (
            lambda: MaskSamples(masked([0, 1]), classes=0),
            "classes=0 for masks. Expected: at least 1",
        ),
        (lambda: MaskSamples(labelled([0, 1])), "data with image, label. Expected: image and mask"),
        (lambda: LabelSamples(masked([0, 1]), 2), "Expected: image and label"),
        (lambda: LabelSamples(labelled([0, 1]), 1), "classes=1 for labels. Expected: at least 2"),
        (lambda: LabelSamples(labelled([0.0, 1.0]), 2), "dtype float64. Expected: one integer"),
        # Sources that list their labels are checked before anything starts.
        (lambda: LabelSamples(labelled([0, 1, 2]), 2), "label 2 in sample 2. Expected: 0 to 1"),
        (lambda: LabelSamples(labelled([0, -1]), 2), "label -1 in sample 1"),
        (
            lambda: LabelSamples(Cached(Subset(labelled([9, 0, 5]), [1, 2]), 9999), 5),
            "label 5 in sample 2",  # of the file
        ),
        (lambda: LabelSamples(Blind([0, 1, 5]), 5).read([0, 2]), "label 5 in sample 2"),
        (lambda: count_classes(masked([0, 1])), "Expected: image and label"),
        (lambda: ArraySamples(np.zeros(3), np.zeros(2)), "3 of inputs, 2 of targets"),
    ],
)
def test_numbers_that_are_not_classes_are_refused(
    make_samples: Callable[[], object], message: str
) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        make_samples()
    assert "\n" not in str(caught.value)


def test_labels_become_int64_whatever_they_were() -> None:
    samples = LabelSamples(labelled(np.array([2, 0, 1], np.uint8)), 3)
    batch = samples.read([2, 0])
    assert batch["label"].dtype == samples.fields["label"].dtype == np.int64
    assert batch["label"].tolist() == [1, 2]
    assert batch["image"].max() <= 1
    assert LabelSamples(Subset(labelled([9, 0, 1]), [1, 2]), 2).read([1])["label"].tolist() == [1]


def test_classes_are_counted_in_the_whole_of_a_source(tmp_path: Path) -> None:
    assert count_classes(open_source(make.classes(tmp_path / "folders"))) == 2
    assert count_classes(open_source("faces")) == 2
    assert count_classes(open_source(make.idx(tmp_path / "idx"))) == 5
    assert count_classes(Blind([*range(70), 3])) == 70
    part = Subset(labelled([0, 4, 1]), [0, 2])
    assert count_classes(part) == count_classes(Cached(part, 9999)) == 5
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["image"], file["label"] = IMAGES, np.array([0, 1, 1, 0, 3, 0], np.uint8)
    assert count_classes(open_source(tmp_path / "a.h5")) == 4
    with h5py.File(tmp_path / "a.h5", "a") as file:
        file["manifest"] = '{"class_names": ["a", "b", "c", "d", "none of this"]}'
    assert count_classes(open_source(tmp_path / "a.h5")) == 5


def test_faces_are_real_pictures_of_both_kinds(tmp_path: Path) -> None:
    source = open_source("faces")
    batch = source.read(np.arange(len(source)))
    assert batch["image"].shape == (200, 25, 25, 1)
    assert batch["image"].dtype == np.float32
    assert np.bincount(batch["label"]).tolist() == [100, 100]
    # A face is darker at the eyes, in the upper half, than at the cheeks.
    upper, lower = batch["image"][:, 6:11, 4:21].mean((1, 2, 3)), batch["image"][:, 12:17, 4:21]
    darker = upper < lower.mean((1, 2, 3))
    assert darker[batch["label"] == 1].mean() > 0.8


def test_a_folder_called_faces_takes_precedence(tmp_path: Path) -> None:
    make.classes(tmp_path / "faces")
    code = "from ddl.data.sources import open_source as o; print(len(o('faces')), len(o('faces', 'faces')))"
    root = str(Path(__file__).parents[2])
    shown = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": root},
        capture_output=True,
        text=True,
        check=True,
    )
    assert shown.stdout.split() == ["5", "200"]
