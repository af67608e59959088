"""What tiles have found is joined: each object once, whole where a tile has it whole."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ddl.boxes.found import Found
from ddl.boxes.seams import TileFound, join_tiles


def tile(*rows: tuple[float, float, float, float, int, float, bool]) -> TileFound:
    """Return a tile's boxes from rows of x0, y0, x1, y1, class, score, is_cut."""
    table = np.array([row[:6] for row in rows], float).reshape(-1, 6)
    found = Found(table[:, :4], table[:, 4].astype(int), table[:, 5])
    return TileFound(found, np.array([row[6] for row in rows], bool))


def test_an_object_in_two_tiles_is_one():
    joined = join_tiles(
        [tile((10, 10, 20, 20, 0, 0.8, False)), tile((10.5, 10, 20, 20, 0, 0.9, False))], 0.5
    )
    assert joined.scores.tolist() == [0.9]


def test_the_whole_wins_over_a_part_with_a_better_score():
    joined = join_tiles(
        [tile((10, 10, 16, 20, 0, 0.95, True)), tile((10, 10, 20, 20, 0, 0.7, False))], 0.5
    )
    assert joined.boxes.tolist() == [[10, 10, 20, 20]]


def test_two_parts_of_what_no_tile_holds_become_one_box():
    joined = join_tiles(
        [tile((0, 10, 64, 20, 0, 0.9, True)), tile((32, 10, 96, 20, 0, 0.6, True))], 0.5
    )
    assert joined.boxes.tolist() == [[0, 10, 96, 20]]


def test_neighbours_of_other_classes_both_stay():
    joined = join_tiles(
        [tile((10, 10, 20, 20, 0, 0.8, False)), tile((10, 10, 20, 20, 1, 0.9, False))], 0.5
    )
    assert joined.classes.tolist() == [1, 0]


def test_two_close_objects_of_one_tile_both_stay():
    joined = join_tiles([tile((0, 0, 10, 10, 0, 0.8, False), (4, 0, 14, 10, 0, 0.7, False))], 0.3)
    assert len(joined) == 2


@given(st.lists(st.integers(0, 30), max_size=8, unique=True))
def test_what_each_of_two_tiles_finds_alike_is_found_once(lefts):
    rows = [
        (40.0 * left, 5.0, 40.0 * left + 20, 25.0, 0, 0.5 + left / 100, False) for left in lefts
    ]
    once, twice = join_tiles([tile(*rows)], 0.5), join_tiles([tile(*rows), tile(*rows)], 0.5)
    assert np.array_equal(once.boxes, twice.boxes)
