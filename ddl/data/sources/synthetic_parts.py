"""What synthetic pictures with splits share: training pictures, and a fifth as many others to test on."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ddl.ranges import check_choice

SPLITS = ("train", "test")


def splits(path: Path, options: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the splits: training pictures, and others to test on."""
    del path, options
    return SPLITS


def part_of(split: str, count: int) -> tuple[int, int]:
    """Return the number of pictures of a split, and the number of its first one, for `count` training pictures."""
    check_choice("split", split, SPLITS)
    return (count, 0) if split == "train" else (max(count // 5, 1), count)


def two_sides(size: int | tuple[int, ...], what: str) -> tuple[int, int]:
    """Return height and width of a size, which may be one side for both."""
    sides = (size, size) if isinstance(size, int) else size
    if len(sides) != 2:
        raise ValueError(
            f"Received: size={sides} of {what}. Expected: a side, or height and width."
        )
    return sides[0], sides[1]
