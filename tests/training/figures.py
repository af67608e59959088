"""What the tests of pictures share: the figure behind a PNG file, to ask it what it shows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from matplotlib.figure import Figure
from PIL import Image


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    """Return a list that every figure which is written adds itself to."""
    figures: list[Figure] = []
    write = Figure.savefig

    def keep(figure: Figure, *arguments: Any, **options: Any) -> None:
        figures.append(figure)
        monkeypatch.setattr(figure, "clear", lambda: None)  # it would be empty after it was written
        write(figure, *arguments, **options)

    monkeypatch.setattr(Figure, "savefig", keep)
    return figures


def size_of(path: Path) -> tuple[int, int]:
    """Return width and height of a PNG file that is whole."""
    with Image.open(path) as picture:
        picture.load()
        assert picture.format == "PNG"
        return picture.size
