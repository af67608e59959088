"""Draws `samples.png`: a model's predictions for a few pictures. NumPy arrays in, a PNG file out."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ddl.data.pictures.conversion import unit_range
from ddl.training.record.figure import new_figure, shortened

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ROWS = 8
"""Maximum, so that a sheet has at most 900 x 2300 pixels."""

_WIDTH_PX = 900
_GAP_PX, _LINE_PX = 6, 20
_PANEL_HEIGHT_PX = (60, 250)
_TILES_A_ROW = 6
_TITLE_CHARACTERS = 16  # both names above a tile
_SHOWN_SIDE_PX = 440  # larger pictures are averaged to about this size, still twice a panel
_TRUTH, _PREDICTED = "#00d5ff", "#ff8a00"
_RIGHT, _WRONG = "#222222", "#d00000"
_HEADINGS = ("picture", "true outline", "probability", "true and predicted")
# Okabe and Ito's colours, which colour-blind readers can distinguish; black is for the background.
PALETTE = (
    *("#56b4e9", "#e69f00", "#009e73", "#f0e442"),
    *("#cc79a7", "#d55e00", "#0072b2", "#999999"),
)


def draw_segmentation(
    pictures: Sequence[np.ndarray] | np.ndarray,
    truths: Sequence[np.ndarray] | np.ndarray,
    predictions: Sequence[np.ndarray] | np.ndarray,
    path: Path,
    names: Sequence[str] | None = None,
    ignore_index: int | None = None,
) -> None:
    """Draw one row per picture: true mask, predicted probabilities, both outlines, and the Dice coefficient.

    Args:
        pictures: (height, width, channels) each, or (depth, height, width, channels), whose middle slice is shown.
            With more than three channels the first three are shown as red, green and blue; with two, the first as
            grey. Integers or floats; floats outside 0 to 1 are rescaled.
        truths: masks of 0 and 1, or of class numbers (0 is background), with or without a last axis of 1.
        predictions: probabilities, with one channel or one per class.
        path: the PNG file.
        names: a name for each picture.
        ignore_index: class number of pixels that the Dice coefficient leaves out.
    """
    _check_counts(pictures, truths=truths, predictions=predictions, names=names)
    rows = min(len(pictures), ROWS)
    top_px = _LINE_PX if names else 0
    with _new_sheet(path, rows, len(_HEADINGS), pictures[0].shape[-3:-1], top_px) as sheet:
        for row, panels in enumerate(sheet):
            picture = np.asarray(pictures[row])
            predicted = _with_channels(np.asarray(predictions[row], np.float32), picture.ndim)
            classes = predicted.shape[-1]
            truth = _class_numbers(np.asarray(truths[row]), picture.ndim, classes, ignore_index)
            _draw_row(panels, picture, truth, predicted)
            panels[0].set_title(shortened(names[row], 34) if names else "", loc="left")
            panels[-1].set_title(
                f"Dice {mean_dice(truth, predicted, ignore_index):.3f}", loc="right"
            )
        for panel, heading in zip(sheet[0], _HEADINGS, strict=True):
            place = panel.get_position().x0, 1 - 4 / panel.figure.bbox.height
            panel.figure.text(*place, heading, fontweight="bold", va="top")


def draw_classification(
    pictures: Sequence[np.ndarray] | np.ndarray,
    labels: Sequence[int] | np.ndarray,
    probabilities: np.ndarray,
    path: Path,
    class_names: Sequence[str] | None = None,
) -> None:
    """Draw pictures, each titled "true → predicted" and the probability; errors are red.

    Args:
        pictures: as for `draw_segmentation`; the first 48 are drawn.
        labels: true classes.
        probabilities: (count, classes); or (count,) or (count, 1) for class 1 of two.
        path: the PNG file.
        class_names: a name per class; numbers by default.
    """
    _check_counts(pictures, labels=labels, probabilities=probabilities)
    chances = np.asarray(probabilities, np.float32).reshape(len(pictures), -1)
    if chances.shape[1] == 1:
        chances = np.concatenate([1 - chances, chances], axis=1)
    shown = min(len(pictures), ROWS * _TILES_A_ROW)
    rows = -(-shown // _TILES_A_ROW)
    with _new_sheet(path, rows, _TILES_A_ROW, pictures[0].shape[-3:-1]) as sheet:
        for panel in sheet.flat[shown:]:
            panel.remove()
        for index, panel in enumerate(sheet.flat[:shown]):
            true, predicted = int(labels[index]), int(np.argmax(chances[index]))
            _show(panel, as_rgb(middle(np.asarray(pictures[index]))))
            words = _both_names(true, predicted, class_names)
            colour = _RIGHT if true == predicted else _WRONG
            panel.set_title(f"{words} {chances[index, predicted]:.0%}", fontsize=8, color=colour)


@contextmanager
def _new_sheet(
    path: Path, rows: int, columns: int, picture_size: tuple[int, int], top_px: int = 0
) -> Iterator[np.ndarray]:
    """Yield the panels (rows, columns) of a new file, each with room for a title, and `top_px` above the first row.

    Height and width of a picture set the panels' aspect ratio.
    """
    panel_px = (_WIDTH_PX - _GAP_PX) / columns - _GAP_PX
    height_px = float(np.clip(panel_px * picture_size[0] / picture_size[1], *_PANEL_HEIGHT_PX))
    sheet_px = top_px + rows * (_LINE_PX + height_px + _GAP_PX)
    places = {
        "left": _GAP_PX / _WIDTH_PX,
        "right": 1 - _GAP_PX / _WIDTH_PX,
        "bottom": _GAP_PX / sheet_px,
        "top": 1 - (top_px + _LINE_PX) / sheet_px,
        "wspace": _GAP_PX / panel_px,
        "hspace": (_LINE_PX + _GAP_PX) / height_px,
    }
    with new_figure(path, _WIDTH_PX, sheet_px, arranges=False) as figure:
        yield figure.subplots(rows, columns, squeeze=False, gridspec_kw=places)


def mean_dice(truth: np.ndarray, prediction: np.ndarray, ignore_index: int | None = None) -> float:
    """Return the Dice metric of one picture, from class numbers (...) and probabilities (..., 1) or (..., C)."""
    classes = _predicted_classes(prediction)
    if ignore_index is not None:
        counts = truth != ignore_index
        truth, classes = truth * counts, classes * counts
    overlaps = []
    for label in range(1, max(prediction.shape[-1], 2)):
        true, predicted = truth == label, classes == label
        either = true.sum() + predicted.sum()
        overlaps.append(2 * (true & predicted).sum() / either if either else 1.0)
    return float(np.mean(overlaps))


def as_rgb(picture: np.ndarray) -> np.ndarray:
    """Return a picture (height, width, channels) of any range as floats from 0 to 1 of (height, width, 3)."""
    if picture.dtype.kind in "bu":
        picture = unit_range(picture)
    values = np.nan_to_num(picture.astype(np.float32), posinf=0.0, neginf=0.0)
    values = values[..., :3] if values.shape[-1] >= 3 else np.repeat(values[..., :1], 3, axis=-1)
    if values.min() < 0 or values.max() > 1:
        black, white = np.percentile(values, [1, 99])
        values = (values - black) / max(white - black, 1e-6)
    return np.clip(values, 0, 1)


def _draw_row(
    panels: Sequence[Axes], picture: np.ndarray, truth: np.ndarray, predicted: np.ndarray
) -> None:
    # Bytes, as in the file: every panel keeps a copy, which would be four times as large in floats.
    rgb = np.rint(as_rgb(smaller(middle(picture))) * 255).astype(np.uint8)
    chances = smaller(middle(predicted))
    # Class numbers cannot be averaged: take every n-th pixel instead.
    true_classes = _every(middle(truth[..., None]), _factor(middle(picture)))[..., 0]
    predicted_classes = _predicted_classes(chances)
    several = chances.shape[-1] > 1
    for axes in (panels[0], panels[1], panels[3]):
        _show(axes, rgb)
    _show(panels[2], _map_classes(chances) if several else chances[..., 0])
    for label in range(1, max(chances.shape[-1], 2)):
        colour = PALETTE[(label - 1) % len(PALETTE)] if several else None
        for axes in (panels[1], panels[3]):
            _outline(axes, true_classes == label, colour or _TRUTH)
        # One colour per class; the prediction is dashed, the true outline is solid.
        _outline(panels[3], predicted_classes == label, colour or _PREDICTED, dashed=several)


def _show(axes: Axes, values: np.ndarray) -> None:
    axes.imshow(values, cmap="magma", vmin=0, vmax=1)
    axes.axis("off")


def _outline(axes: Axes, mask: np.ndarray, colour: str, dashed: bool = False) -> None:
    """Draw the border of a mask, with a dark rim that is visible on light pictures too."""
    from contourpy import contour_generator
    from matplotlib import patheffects
    from matplotlib.collections import LineCollection

    if mask.all() or not mask.any() or min(mask.shape) < 2:
        return  # no border
    # `axes.contour` would keep three arrays of doubles of the mask's size as long as the figure exists.
    borders: list[Any] = list(contour_generator(z=mask.astype(np.float32)).lines(0.5))
    lines = LineCollection(
        borders,
        colors=[colour],
        linewidths=1.2,
        linestyles="dashed" if dashed else "solid",
        path_effects=[patheffects.withStroke(linewidth=2.2, foreground="#00000099")],
    )
    axes.add_collection(lines, autolim=False)


def _map_classes(chances: np.ndarray) -> np.ndarray:
    """Return each pixel in the colour of its most probable class, brighter if more probable; background is black."""
    from matplotlib.colors import to_rgb

    colours = np.array([to_rgb(colour) for colour in PALETTE])
    classes = _predicted_classes(chances)
    brightness = np.max(chances, axis=-1) * (classes > 0)
    return np.asarray(np.clip(colours[(classes - 1) % len(colours)] * brightness[..., None], 0, 1))


def _with_channels(mask: np.ndarray, dimensions: int) -> np.ndarray:
    return mask if mask.ndim == dimensions else mask[..., None]


def _class_numbers(
    truth: np.ndarray, dimensions: int, classes: int, ignore_index: int | None
) -> np.ndarray:
    """Return true masks of any accepted form as class numbers without a last axis."""
    truth = _with_channels(truth, dimensions)
    if truth.shape[-1] > 1:  # one channel per class
        return np.asarray(np.argmax(truth, axis=-1))
    if classes > 1:
        return np.asarray(np.rint(truth[..., 0]), int)
    foreground = np.asarray(truth[..., 0] > 0.5, int)
    if ignore_index is None:
        return foreground
    return np.asarray(np.where(truth[..., 0] == ignore_index, ignore_index, foreground))


def _predicted_classes(chances: np.ndarray) -> np.ndarray:
    if chances.shape[-1] == 1:
        return (chances[..., 0] > 0.5).astype(int)
    return np.asarray(np.argmax(chances, axis=-1))


def middle(picture: np.ndarray) -> np.ndarray:
    """Return the middle slice of a volume (depth, height, width, channels), or a picture unchanged."""
    return picture[len(picture) // 2] if picture.ndim == 4 else picture


def _factor(picture: np.ndarray) -> int:
    side: int = max(picture.shape[:2])
    return max(math.ceil(side / _SHOWN_SIDE_PX), 1)


def smaller(picture: np.ndarray) -> np.ndarray:
    """Return a large picture averaged over squares, so that drawing it takes no longer than a small one."""
    n = _factor(picture)
    if n == 1 or min(picture.shape[:2]) < n:
        return picture
    height, width = (side // n * n for side in picture.shape[:2])
    squares = unit_range(picture) if picture.dtype.kind in "bu" else picture.astype(np.float32)
    squares = squares[:height, :width].reshape(height // n, n, width // n, n, -1)
    averaged: np.ndarray = squares.mean(axis=(1, 3))
    return averaged


def _every(mask: np.ndarray, n: int) -> np.ndarray:
    if n == 1 or min(mask.shape[:2]) < n:
        return mask
    height, width = (side // n * n for side in mask.shape[:2])
    return mask[n // 2 : height : n, n // 2 : width : n]


def _both_names(true: int, predicted: int, names: Sequence[str] | None) -> str:
    """Return "true → predicted", shortened to fit a tile. A short name leaves its space to the other."""
    first, second = (
        names[label] if names and 0 <= label < len(names) else str(label)
        for label in (true, predicted)
    )
    half = _TITLE_CHARACTERS // 2
    limits = [max(half, _TITLE_CHARACTERS - len(other)) for other in (second, first)]
    return f"{shortened(first, limits[0])} → {shortened(second, limits[1])}"


def _check_counts(pictures: Sequence[Any] | np.ndarray, **others: Any) -> None:
    counts = {name: len(values) for name, values in others.items() if values is not None}
    if len(pictures) == 0 or any(count != len(pictures) for count in counts.values()):
        received = ", ".join(f"{count} {name}" for name, count in counts.items())
        raise ValueError(
            f"Received: {len(pictures)} pictures, {received}. Expected: at least one, and equally many of each."
        )
