"""How many slices there are, where they are, and what they hold."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings

from ddl.data.slicing.boxes import Slices, count_slices
from ddl.data.slicing.slicer import Slicer, parse_slicers
from tests.data.slicing.cases import cases


@pytest.mark.parametrize(
    ("shape", "text", "count"),
    [
        ((100, 80, 60), "sizes=32,32,60 strides=16,32,60 discard_remainders=true", 10),
        ((100, 80, 60), "sizes=32,32,60 strides=16,32,60", 18),
        ((3, 100, 80, 60), "sizes=32,32,60 strides=16,32,60", 18),
        ((10,), "sizes=4", 3),
        ((10,), "sizes=4 discard_remainders=true", 2),
        ((3,), "sizes=4", 1),
        ((5, 7), "sizes=1,7", 5),
        ((9,), "sizes=2 strides=8", 2),
        ((8,), "sizes=2 strides=8", 1),  # a second one would begin at the array's end
        ((1 << 40, 1 << 20), "sizes=64,64 strides=64,64", 1 << 48),
    ],
)
def test_slices_are_counted_without_an_array(shape: tuple[int, ...], text: str, count: int) -> None:
    assert count_slices(shape, parse_slicers([text])) == {"slices_1": count}


def test_sets_are_counted_in_their_order() -> None:
    slicers = parse_slicers(["name=b sizes=1,4,4", "name=a sizes=4,1,4"])
    assert list(count_slices((4, 6, 8), slicers).items()) == [("b", 16), ("a", 12)]


@given(cases())
@settings(max_examples=40, deadline=None)
def test_boxes_are_a_grid_in_row_major_order(case: tuple[np.ndarray, tuple[Slicer, ...]]) -> None:
    values, slicers = case
    for one in Slices(values.shape[1:], slicers).sets:
        axes = zip(one.sides, one.slicer.sizes, one.slicer.steps, strict=True)
        grid = [
            [slice(start, min(start + size, side)) for start in starts_of(side, size, step)]
            for side, size, step in axes
        ]
        assert [one.box(number) for number in range(one.count)] == [*itertools.product(*grid)]


def starts_of(side: int, size: int, step: int) -> list[int]:
    """Return the starts of boxes along an axis, one after the other, until the axis is covered."""
    starts = [0]
    while starts[-1] + size < side and starts[-1] + step < side:
        starts.append(starts[-1] + step)
    return starts


@given(cases())
@settings(max_examples=40, deadline=None)
def test_a_tile_meets_the_boxes_that_overlap_it(
    case: tuple[np.ndarray, tuple[Slicer, ...]],
) -> None:
    values, slicers = case
    for one in Slices(values.shape[1:], slicers).sets:
        tile = tuple(slice(side // 3, side // 3 + max(1, side // 2)) for side in one.sides)
        expected = [
            number
            for number in range(one.count)
            if all(
                part.start < other.stop and other.start < part.stop
                for part, other in zip(one.box(number), tile, strict=True)
            )
        ]
        assert list(one.numbers_in(tile)) == expected


def test_a_sample_is_the_box_between_zeros() -> None:
    values = np.arange(1, 13).reshape(1, 3, 4)
    slices = Slices((3, 4), parse_slicers(["sizes=2,3 padded_sizes=3,6"]))
    samples = [slices.cut(n, lambda box: values[(slice(None), *box)])[..., 0] for n in range(4)]
    assert samples[0].tolist() == [[0, 1, 2, 3, 0, 0], [0, 5, 6, 7, 0, 0], [0] * 6]
    assert samples[3].tolist() == [[0, 12, 0, 0, 0, 0], [0] * 6, [0] * 6]
    assert slices.name_of(3) == "slices_1[2:3, 3:4]"


def test_an_axis_of_size_1_is_left_out_and_the_others_may_be_swapped() -> None:
    values = np.arange(24).reshape(2, 3, 1, 4)
    slices = Slices((3, 1, 4), parse_slicers(["sizes=3,1,2 transpose=true"]))
    sample = slices.cut(1, lambda box: values[(slice(None), *box)])
    assert (sample == np.moveaxis(values[:, :, 0, 2:], 0, -1).swapaxes(0, 1)).all()


@pytest.mark.parametrize(
    ("shape", "text", "problem"),
    [
        ((4, 5, 6, 7), "sizes=4,5", "shape 4x5x6x7, and slicers with sizes=4,5. Expected: a size for"),
        ((), "sizes=4", r"shape \(\), and slicers"),
        ((5, 0), "sizes=4", "shape 5x0, and slicers"),
        ((50, 80), "sizes=64,64 discard_remainders=true", "array of 50x80, which gives no slice"),
    ],
)  # fmt: skip
def test_an_array_that_cannot_be_cut_so_is_refused(
    shape: tuple[int, ...], text: str, problem: str
) -> None:
    with pytest.raises(ValueError, match=problem):
        count_slices(shape, parse_slicers([text]))
