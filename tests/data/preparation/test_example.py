"""The example data set holds the samples of the synthetic source as files, and appears whole or not at all."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ddl.data.pictures.synthetic_picture import microscope_picture
from ddl.data.preparation.example import Example, write_example
from ddl.data.sources import open_source
from tests.small_files import limited_files


def test_the_example_opens_as_pictures_and_masks(tmp_path: Path) -> None:
    write_example(Example(tmp_path / "example", count=3, size=24, seed=7))
    source = open_source(tmp_path / "example")
    found = source.read([2])
    picture, mask = microscope_picture(2, 24, 7)
    assert len(source) == 3
    np.testing.assert_allclose(found["image"][0] / 255, picture, atol=0.5 / 255 + 1e-6)
    np.testing.assert_array_equal(found["mask"][0] > 0, mask > 0)
    assert [path.name for path in tmp_path.iterdir()] == ["example"]


def test_the_example_with_boxes_opens_as_those_of_the_synthetic_source(tmp_path: Path) -> None:
    write_example(Example(tmp_path / "example", kind="boxes", count=6, size=40, seed=3))
    found = open_source(tmp_path / "example").read(range(6))
    wanted = open_source("synthetic-boxes", count=6, size=40, seed=3).read(range(6))
    np.testing.assert_array_equal(found["image"], wanted["image"])
    rows = found["boxes"].shape[1]
    np.testing.assert_allclose(found["boxes"], wanted["boxes"][:, :rows], atol=1e-6)
    with pytest.raises(ValueError, match=r"size=16 for kind=boxes\. Expected: at least 32"):
        Example(tmp_path / "new", kind="boxes", size=16)


def test_a_full_disk_leaves_nothing(tmp_path: Path) -> None:
    message = r"cannot be written .*Expected: a disk with enough space"
    with limited_files(500), pytest.raises(ValueError, match=message):
        write_example(Example(tmp_path / "example", count=3, size=64))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "fields", "words"),
    [
        ("", {}, "which exists. Expected: a new name; or remove it"),
        ("none/here", {}, "a place in a folder that exists"),
        ("new", {"count": 0}, "count=0"),
        ("new", {"size": 5}, "size=5"),
    ],
)
def test_invalid_options_are_refused(
    tmp_path: Path, name: str, fields: dict[str, int], words: str
) -> None:
    with pytest.raises(ValueError, match=f"Received: .*{words}"):
        Example(tmp_path / name, **fields)
    assert list(tmp_path.iterdir()) == []
