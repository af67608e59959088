"""Mosaic (Bochkovskiy et al. 2020): parts of four pictures in one, with their boxes. Pure NumPy.

    tiles = drawn_tiles((96, 96), seed=0, epoch=3, step=17, index=5)
    picture, boxes = assembled(tiles, pictures, rows, visibility=0.3)  # of four samples

All draws are from (seed, epoch, step, index of the sample), so the result depends neither on the number of ranks nor on
threads or a resume.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ddl.boxes.rows import CORNERS, boxes_in

_STREAM = 0x6D6F73  # separates these draws from others with the same seed
_LEAST, _MOST = 0.25, 0.75  # of a side, where the four pictures meet
_LEAST_SIDE = 1e-6  # of a box


@dataclass(frozen=True)
class Tile:
    """One of the four parts.

    Attributes:
        member: number of the sample in its group; 0 is the sample itself.
        place: where it lies: top, left, bottom and right, in pixels.
        start: the first row and column of its picture that is shown.
    """

    member: int
    place: tuple[int, int, int, int]
    start: tuple[int, int]


def drawn_tiles(
    sides: tuple[int, int], *, seed: int, epoch: int, step: int, index: int
) -> tuple[float, tuple[Tile, ...]]:
    """Return a number from 0 to 1 that decides whether the sample is mixed, and its four tiles."""
    rng = np.random.Generator(np.random.PCG64([seed, epoch, step, index, _STREAM]))
    decides = rng.random()
    height, width = sides
    row, column = (
        min(max(1, round(side * rng.uniform(_LEAST, _MOST))), max(1, side - 1)) for side in sides
    )
    places = (
        *((0, 0, row, column), (0, column, row, width)),
        *((row, 0, height, column), (row, column, height, width)),
    )
    tiles = []
    for member, (top, left, bottom, right) in zip(rng.permutation(4).tolist(), places, strict=True):
        room = (height - (bottom - top) + 1, width - (right - left) + 1)
        start = (int(rng.integers(room[0])), int(rng.integers(room[1])))
        tiles.append(Tile(member, (top, left, bottom, right), start))
    return decides, tuple(tiles)


def assembled(
    tiles: Sequence[Tile],
    pictures: Sequence[np.ndarray],
    rows: Sequence[np.ndarray],
    *,
    visibility: float,
) -> tuple[np.ndarray, np.ndarray]:
    """Return the picture of the tiles, and its boxes, (boxes, 6), largest first.

    Args:
        tiles: which part of which picture lies where.
        pictures: of the group, each (height, width, channels).
        rows: boxes of each picture, (most, 6).
        visibility: a box of whose area less than this fraction is shown is left out.
    """
    height, width, _ = pictures[0].shape
    whole = np.empty_like(pictures[0])
    found = []
    for tile in tiles:
        top, left, bottom, right = tile.place
        down, along = tile.start
        part = pictures[tile.member][down : down + bottom - top, along : along + right - left]
        whole[top:bottom, left:right] = part
        boxes = boxes_in(rows[tile.member]).copy()
        corners = boxes[:, CORNERS].astype(np.float64) * (width, height, width, height)
        moved = corners + np.tile([left - along, top - down], 2)
        seen = np.clip(moved, [left, top, left, top], [right, bottom, right, bottom])
        sizes, before = seen[:, 2:] - seen[:, :2], corners[:, 2:] - corners[:, :2]
        kept = (sizes > _LEAST_SIDE * np.array([width, height])).all(1)
        kept &= sizes.prod(1) >= visibility * (1 - 1e-9) * before.prod(1)
        boxes[:, CORNERS] = seen / (width, height, width, height)
        found.append(boxes[kept])
    together = np.concatenate(found)
    left_top, right_bottom = together[:, 1:3], together[:, 3:5]
    order = np.argsort(-(right_bottom - left_top).prod(1), kind="stable")
    return whole, np.asarray(together[order])
