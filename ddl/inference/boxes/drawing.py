"""Draws boxes with their classes and scores on a picture."""

from __future__ import annotations

import numpy as np

from ddl.boxes.found import Found
from ddl.data.preprocessing import Preprocessing
from ddl.inference.prediction.row_writers import class_palette
from ddl.training.record.picture_sheet import as_rgb

SIDE_PX = 2048
"""Longest side of a drawing; larger pictures are drawn smaller."""
_LEAST_PX = 512
"""Longest side from which text is readable: smaller pictures are enlarged by a whole factor."""
_TEXT_PX = 12


def draw_boxes(picture: np.ndarray, found: Found, how: Preprocessing) -> np.ndarray:
    """Return a picture (height, width, channels) as uint8 RGB with its boxes, the best on top."""
    from PIL import Image, ImageDraw, ImageFont

    shrunk = max(1, -(-max(picture.shape[:2]) // SIDE_PX))
    pixels = np.rint(as_rgb(picture[::shrunk, ::shrunk]) * 255).astype(np.uint8)
    enlarged = max(1, _LEAST_PX // max(pixels.shape[:2]))
    drawn = Image.fromarray(np.repeat(np.repeat(pixels, enlarged, 0), enlarged, 1))
    pen, font = ImageDraw.Draw(drawn), ImageFont.load_default(_TEXT_PX)
    colours = class_palette(how.classes + 1)[1:]
    sides = np.array([drawn.width, drawn.height] * 2)
    for number in reversed(range(len(found))):
        left, top, right, bottom = np.rint(found.boxes[number] * sides).astype(int).tolist()
        label = int(found.classes[number])
        colour, text = colours[label], f"{how.name_of(label)} {found.scores[number]:.2f}"
        pen.rectangle(
            (left, top, max(right - 1, left), max(bottom - 1, top)), outline=colour, width=2
        )
        height, length = _TEXT_PX + 2, int(pen.textlength(text, font=font)) + 4
        # Above the box where there is room, else inside it; never beyond the right edge.
        y, x = top - height if top >= height else top, max(0, min(left, drawn.width - length))
        pen.rectangle((x, y, x + length, y + height), fill=colour)
        pen.text((x + 2, y), text, fill=_readable_on(colour), font=font)
    return np.asarray(drawn)


def _readable_on(colour: tuple[int, int, int]) -> tuple[int, int, int]:
    """Return black or white, whichever is readable on a colour."""
    red, green, blue = colour
    return (0, 0, 0) if 0.299 * red + 0.587 * green + 0.114 * blue > 140 else (255, 255, 255)
