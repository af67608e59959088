"""How many positions a detector's output has, and that a layout survives JSON."""

from __future__ import annotations

import json

import numpy as np
import pytest

from ddl.boxes.layout import Layout, Level, layout_from_dict
from ddl.boxes.rows import boxes_in, empty_rows, padded_rows

YOLO = Layout("anchors", 3, (Level(8, ((10, 13), (16, 30))), Level(16, ((30, 61), (62, 45)))))


@pytest.mark.parametrize(
    ("layout", "sides", "positions"),
    [
        (YOLO, (32, 64), 2 * (4 * 8 + 2 * 4)),
        (Layout("points", 1, (Level(8), Level(16))), (20, 20), 9 + 4),
    ],
)
def test_positions_are_cells_times_anchors(layout, sides, positions):
    assert layout.positions(sides) == positions


def test_a_layout_survives_json():
    assert layout_from_dict(json.loads(json.dumps(YOLO.to_dict()))) == YOLO


def test_padding_is_no_box():
    one = np.array([[2, 0.1, 0.2, 0.3, 0.4, 0]], np.float32)
    assert np.array_equal(boxes_in(padded_rows(one, 4)), one)
    assert not len(boxes_in(empty_rows(3)))
