"""Crops of a sample's parts: its picture, and its mask if it has one."""

from __future__ import annotations

import numpy as np

from ddl.data.batches.augmentation.geometry import Parts


def cropped(
    rng: np.random.Generator,
    parts: Parts,
    size: tuple[int, ...] | None,
    foreground: float,
    ignore_index: int | None,
) -> Parts:
    """Crop the sample to `size` at a random place; with probability `foreground` the crop contains some of the mask
    that is not `ignore_index`.

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
    area = tuple(slice(int(s), int(s) + int(n)) for s, n in zip(start, sides, strict=True))
    return [part[area] for part in parts]
