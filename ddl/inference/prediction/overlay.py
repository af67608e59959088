"""Overlay of a picture with the outlines of its mask: at most 2048 pixels per side, collected band by band."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ddl.inference.prediction.row_writers import class_palette
from ddl.inference.tiles.tiling import Rows
from ddl.training.record.picture_sheet import as_rgb

SIDE_PX = 2048


class Overlay:
    """Collects every n-th pixel of a picture and its mask; for a volume, those of the middle slice."""

    def __init__(self, sides: tuple[int, ...]) -> None:
        """Allocate the arrays for these sides: height and width; for a volume depth, height and width."""
        self._slice = sides[0] // 2 if len(sides) == 3 else None
        height, width = sides[-2:]
        self._step = max(1, -(-max(height, width) // SIDE_PX))
        shape = (-(-height // self._step), -(-width // self._step))
        self._picture: np.ndarray | None = None
        self._mask = np.zeros(shape, np.uint8)

    def add(self, start: int, picture: Rows, mask: np.ndarray) -> None:
        """Add a band of the mask, whose first row is `start`, and the same rows of the picture."""
        step = self._step
        if self._slice is not None:
            if start <= self._slice < start + len(mask):
                pixels = np.asarray(picture[self._slice : self._slice + 1])[0]
                self._picture = np.array(pixels[::step, ::step])
                self._mask = mask[self._slice - start, ::step, ::step]
            return
        first = -(-start // step)
        if first * step >= start + len(mask):
            return
        pixels = np.asarray(picture[start : start + len(mask)])[
            first * step - start :: step, ::step
        ]
        if self._picture is None:
            self._picture = np.zeros((*self._mask.shape, pixels.shape[-1]), pixels.dtype)
        self._picture[first : first + len(pixels)] = pixels
        self._mask[first : first + len(pixels)] = mask[first * step - start :: step, ::step]

    def save(self, path: Path) -> None:
        """Write a PNG."""
        from PIL import Image

        if self._picture is None:
            raise RuntimeError("The overlay has no picture: add() was not called.")
        Image.fromarray(draw_overlay(self._picture, self._mask)).save(path, format="PNG")


def draw_overlay(picture: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Return the picture (H, W, C) as uint8 RGB, with each region of the mask (H, W) outlined in its class's colour."""
    from skimage.segmentation import find_boundaries

    drawn: np.ndarray = np.rint(as_rgb(picture) * 255).astype(np.uint8)
    colours = np.array(class_palette(int(mask.max(initial=0)) + 1), np.uint8)
    edge = find_boundaries(mask, mode="inner")
    drawn[edge] = colours[mask[edge]]
    return drawn
