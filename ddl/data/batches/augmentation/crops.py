"""Crops of a sample's parts: its picture, and its mask if it has one."""

from __future__ import annotations

import math

import numpy as np

from ddl.data.batches.augmentation.boxes import MovedBoxes
from ddl.data.batches.augmentation.geometry import Parts
from ddl.data.pictures.resizing import Box, nearest_part, resized_part

_TRIES = 10


def cropped(
    rng: np.random.Generator,
    parts: Parts,
    size: tuple[int, ...] | None,
    foreground: float,
    ignore_index: int | None,
    boxes: MovedBoxes | None = None,
) -> Parts:
    """Crop the sample to `size` at a random place; with probability `foreground` the crop contains some of the mask
    that is not `ignore_index`, or the middle of a box.

    Without a size, only draw.
    """
    shape = parts[0].shape
    wants_foreground = rng.random() < foreground
    place, pick = rng.random(len(shape) - 1), rng.random()
    if size is None:
        return parts
    sides = np.array(size)
    room = np.array(shape[:-1]) - sides
    start = np.floor(place * (room + 1)).astype(int)
    if wants_foreground and len(parts) > 1:
        is_foreground = (parts[1] != 0) & (parts[1] != ignore_index)
        marked = np.argwhere(is_foreground.any(axis=-1))
        if len(marked):
            # Any position at which the crop contains this pixel.
            start = marked[int(pick * len(marked))] - np.floor(place * sides).astype(int)
            start = np.clip(start, 0, room)
    if wants_foreground and boxes is not None and len(boxes.corners):
        middle = np.floor(boxes.middles()[int(pick * len(boxes.corners)), ::-1]).astype(int)
        start = np.clip(middle - np.floor(place * sides).astype(int), 0, room)
    if boxes is not None:
        (top, left), (height, width) = start.tolist(), size
        boxes.cut(Box(top, left, height, width), (height, width))
    area = tuple(slice(int(s), int(s) + int(n)) for s, n in zip(start, sides, strict=True))
    return [part[area] for part in parts]


def padded_crop(
    drawn: np.ndarray, parts: Parts, pixels: int, boxes: MovedBoxes | None = None
) -> Parts:
    """Add `pixels` of zeros at every side, and crop to the former size at a random place.

    `drawn` are uniform numbers, one for each axis, or more.
    """
    sides = parts[0].shape[:-1]
    shift = [int(place * (2 * pixels + 1)) - pixels for place in drawn[: len(sides)].tolist()]
    taken = tuple(slice(max(0, s), n + min(0, s)) for s, n in zip(shift, sides, strict=True))
    placed = tuple(slice(max(0, -s), n + min(0, -s)) for s, n in zip(shift, sides, strict=True))
    if boxes is not None:
        boxes.shift(-shift[0], -shift[1])
    moved = [np.zeros_like(part) for part in parts]
    for whole, part in zip(moved, parts, strict=True):
        whole[placed] = part[taken]
    return moved


def resized_crop(
    rng: np.random.Generator,
    parts: Parts,
    size: tuple[int, int],
    scale: tuple[float, ...],
    ratio: tuple[float, ...],
    *,
    smooth: bool = False,
    boxes: MovedBoxes | None = None,
) -> Parts:
    """Resize a random part of the picture to `size`: its share of the area is in `scale`, width / height in `ratio`.

    `smooth` says whether the second part has values between those of two pixels, as a mask has not.
    """
    box = draw_box(rng, (parts[0].shape[0], parts[0].shape[1]), scale, ratio)
    if boxes is not None:
        boxes.cut(box, size)
    picture, *others = parts
    resized = resized_part if smooth else nearest_part
    return [resized_part(picture, box, size), *(resized(other, box, size) for other in others)]


def draw_box(
    rng: np.random.Generator,
    sides: tuple[int, int],
    scale: tuple[float, ...],
    ratio: tuple[float, ...],
) -> Box:
    """Return a random part of a picture with these sides, as for Inception (Szegedy et al. 2014).

    After ten boxes that do not fit, it is the largest one in the middle whose ratio is allowed.
    """
    height, width = sides
    low, high = math.log(ratio[0]), math.log(ratio[1])
    for _ in range(_TRIES):
        area = height * width * rng.uniform(scale[0], scale[1])
        shape = math.exp(rng.uniform(low, high))
        tall, wide = round(math.sqrt(area / shape)), round(math.sqrt(area * shape))
        if 0 < tall <= height and 0 < wide <= width:
            top, left = rng.integers(height - tall + 1), rng.integers(width - wide + 1)
            return Box(int(top), int(left), tall, wide)
    shape = min(max(width / height, ratio[0]), ratio[1])
    tall = max(1, min(height, round(width / shape)))
    wide = max(1, min(width, round(height * shape)))
    return Box((height - tall) // 2, (width - wide) // 2, tall, wide)
