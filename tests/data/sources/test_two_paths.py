"""Inputs and targets at two paths are paired by name, and what has no partner is refused by name."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ddl.data.pictures.listing import Listing, Sample
from ddl.data.sources import open_source
from ddl.data.sources.arrays import Arrays
from ddl.data.sources.two_paths import InputsOnly, Itself, TwoPaths, pair_files, pair_places
from tests.data import make


@pytest.mark.parametrize(
    ("inputs", "targets", "places"),
    [
        (["a.jpg", "b.jpg"], ["b.png", "a.gif"], [1, 0]),
        (["x/a.jpg", "y/a.jpg"], ["y/a.png", "x/a_mask.png"], [1, 0]),
        (["a", "b"], ["b_gt", "a_seg"], [1, 0]),
        (["0", "1", "2"], ["0", "1", "2"], [0, 1, 2]),
        (["in"], ["out"], [0]),
        (["v1.5", "v1.6"], ["v1.6", "v1.5"], [1, 0]),  # no suffix of a picture
    ],
)
def test_names_decide(inputs: list[str], targets: list[str], places: list[int]) -> None:
    assert pair_places(inputs, targets).tolist() == places


@pytest.mark.parametrize(
    ("inputs", "targets", "piece"),
    [
        (["a.jpg", "b.jpg"], ["a.png"], "input b.jpg without a target of that name"),
        (["a.jpg", "b.jpg", "c.jpg"], ["c.png"], "input a.jpg and 1 more without a target"),
        (["a.jpg"], ["a.png", "b.png"], "target b.png without an input of that name"),
        (["a.jpg", "b.jpg"], ["a.png", "a_mask.png"], "a.png and a_mask.png, two targets of a.jpg"),
        (["a.jpg", "a.png"], ["a.gif", "b.gif"], "two inputs of one name"),
        (["0", "1"], ["0", "1", "2"], "target 2 without an input"),
    ],
)
def test_a_rest_is_refused(inputs: list[str], targets: list[str], piece: str) -> None:
    with pytest.raises(ValueError, match="Received: ") as raised:
        pair_places(inputs, targets)
    assert piece in str(raised.value)


def test_a_rest_names_its_folders() -> None:
    listings = (
        Listing(Path(root), tuple(Sample(Path(root, name)) for name in names))
        for root, names in (("in", ["a.png", "b.png"]), ("out", ["b.png"]))
    )
    with pytest.raises(ValueError, match=r"^Received: in in and out, input a\.png without a tar"):
        pair_files(*listings)


def test_samples_are_read_in_the_order_of_the_inputs(tmp_path: Path) -> None:
    make.pictures(tmp_path / "in", deep=True)
    make.pictures(tmp_path / "out", deep=True, height=4, width=6)
    sources = (open_source(tmp_path / name, "pictures") for name in ("in", "out"))
    both = TwoPaths(*sources, "values")
    assert (len(both), both.name_of(0)) == (5, "cell-0.png")
    assert both.describe() == "5 pictures with values, 12x16 RGB"
    batch = both.read([3, 0])
    names = [both.name_of(index) for index in (3, 0)]
    numbers = [int(name[-5]) for name in names]
    for row, number in enumerate(numbers):
        np.testing.assert_array_equal(batch["image"][row], make.picture(number))
        np.testing.assert_array_equal(batch["values"][row], make.picture(number, 4, 6))
    both.close()


def test_labels_of_another_path_can_be_listed() -> None:
    labels = Arrays({"target": np.array([2, 0, 1])}, "labels")
    both = TwoPaths(Arrays({"image": np.zeros((3, 4, 4, 1), np.float32)}, "in"), labels, "label")
    column = both.read_column("label")
    assert column is not None
    assert column.tolist() == [2, 0, 1]


def test_the_input_itself_is_a_target(tmp_path: Path) -> None:
    source = Itself(InputsOnly(open_source(make.pairs(tmp_path))))
    batch = source.read([1])
    np.testing.assert_array_equal(batch["image"], batch["values"])
    assert source.describe() == "5 pictures with values, 12x16 RGB"


def test_files_are_paired_as_pictures_with_masks() -> None:
    inputs = Listing(Path("in"), (Sample(Path("in/x/a.jpg")), Sample(Path("in/b.jpg"))))
    masks = Listing(Path("out"), (Sample(Path("out/b_mask.png")), Sample(Path("out/x/a.png"))))
    found = [sample.mask for sample in pair_files(inputs, masks).samples]
    assert found == [Path("out/x/a.png"), Path("out/b_mask.png")]
