"""The parts of a result that is one file: each block of pictures writes its own until the file is assembled."""

from __future__ import annotations

from pathlib import Path

FOLDER = ".parts"


def part_path(folder: Path, block: int, suffix: str) -> Path:
    """Return the path of a block's part of a result in a folder."""
    return folder / FOLDER / f"{block:09d}{suffix}"


def is_done(result: Path, block: int, suffix: str) -> bool:
    """Return whether a block has been predicted: its part is there, or the assembled result."""
    return result.exists() or part_path(result.parent, block, suffix).exists()
