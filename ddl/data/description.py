"""Words for what data were taken for: "30 pictures with masks, 512x512 grey"."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

_COLOURS = {1: "grey", 3: "RGB", 4: "RGBA"}
_NOUNS = {1: "lines", 2: "pictures", 3: "volumes"}
_LISTED_CLASSES = 10


def describe_samples(
    count: int,
    form: str,
    axes: int,
    target: str = "",
    classes: Mapping[str, int | None] | None = None,
    mask_values: Sequence[int] = (),
) -> str:
    """Return one line on samples, without a period.

    Args:
        count: number of samples.
        form: what `describe_form` returns.
        axes: 1 for lines, 2 for pictures, 3 for volumes.
        target: "mask", "label" or "boxes"; any other word stands as it is, and "" means that there is none.
        classes: name -> number of samples, of samples with labels, or of boxes, if known.
        mask_values: class numbers in the masks, if known.
    """
    noun = _NOUNS.get(axes, "samples")
    if target == "label" and classes:
        return f"{_number(len(classes), 'class')}: {_listed(classes)}; {noun} of {form}"
    if target == "boxes" and classes:
        of_classes = f"boxes of {_number(len(classes), 'class')}: {_listed(classes)}"
        return f"{_number(count, noun)} with {of_classes}; {form}"
    words = {"mask": " with masks", "label": " with labels", "": ""}.get(target, f" with {target}")
    of_classes = f" of class numbers {describe_numbers(mask_values)}" if mask_values else ""
    return f"{_number(count, noun)}{words}{of_classes}, {form}"


def describe_form(shape: Sequence[int], dtype: np.dtype) -> str:
    """Return "512x512 grey, 16 bits" for a picture (512, 512, 1) of uint16; 8 bits go without saying."""
    if not shape:
        return str(dtype)
    *sides, channels = shape
    colour = _COLOURS.get(channels, f"with {channels} channels")
    depth = {"uint8": "", "uint16": ", 16 bits"}.get(dtype.name, f", {dtype.name}")
    return f"{'x'.join(map(str, sides))} {colour}{depth}".strip()


def describe_numbers(numbers: Sequence[int]) -> str:
    """Return "0 to 3, 255" for (0, 1, 2, 3, 255)."""
    runs: list[list[int]] = []
    for number in sorted(numbers):
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return ", ".join(str(run[0]) if len(run) == 1 else f"{run[0]} to {run[-1]}" for run in runs)


def _listed(classes: Mapping[str, int | None]) -> str:
    shown = [
        name if count is None else f"{name} ({count})"
        for name, count in [*classes.items()][:_LISTED_CLASSES]
    ]
    more = len(classes) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")


def _number(count: int, noun: str) -> str:
    """Return "1 picture" or "2 pictures"; "1 class" or "2 classes"."""
    if noun == "class":
        return f"{count} {'class' if count == 1 else 'classes'}"
    return f"{count} {noun.removesuffix('s') if count == 1 else noun}"
