"""What is said of data when they are opened, by training, evaluation and export alike."""

from __future__ import annotations

import numpy as np

from ddl.data.description import describe_numbers
from ddl.data.source import Source
from ddl.data.value_range import narrow_range, to_text
from ddl.plain_text import tell

_MOST_MASKS = 8
_PIXELS_A_MASK = 1 << 16
_FEW = 32


def summary_lines(origin: object, source: Source, option: str = "--data-option {}=") -> list[str]:
    """Return what the data were taken for, and a line for each thing that is probably not as the user thinks.

    That is: values that use little of what their type can hold, and masks of several classes that are read as black
    and white. Reads at most 8 pictures and 8 masks.

    Args:
        origin: what the user calls the data: their path.
        source: the data, or a part of them.
        option: how the user gives an option of the data.
    """
    line = f"{origin}: {source.describe()}"
    notes = []
    try:
        if source.value_range is not None:
            line += f", values {to_text(source.value_range)} scaled to 0 to 1"
        else:
            notes.append(narrow_range(len(source), source.stored_values, option.format("range")))
        notes.append(several_classes(source, option))
    except (ValueError, OSError):  # a damaged sample: whoever trains on it says so
        pass
    return [line, *(f"{origin}: {note}" for note in notes if note)]


def several_classes(source: Source, option: str = "--data-option {}=") -> str:
    """Return a sentence on binary masks whose files hold more than two numbers or colours; "" for others."""
    if source.mask_mode != "binary":
        return ""
    found: set[int] = set()
    has_colours = False
    indices = np.linspace(0, len(source) - 1, min(len(source), _MOST_MASKS)).astype(int)
    for index in np.unique(indices):
        mask = source.stored_mask(int(index))
        if mask is not None:
            has_colours |= mask.shape[-1] > 1
            found.update(_numbers(mask))
    if len(found) <= 2:
        return ""
    read = "all but black is foreground" if has_colours else "all but 0 is foreground"
    if has_colours or len(found) > _FEW:
        return f"the masks hold {len(found)} {'colours' if has_colours else 'values'}; {read}"
    name = "mask_mode" if "=" in option else "mask-mode"
    listed = describe_numbers([*found])
    return (
        f"the masks hold {listed}; {read}: {option.format(name)}classes keeps them as class numbers"
    )


def _numbers(mask: np.ndarray) -> list[int]:
    """Return the numbers or colours in a mask, of a large mask those in a part of its pixels."""
    pixels = mask.reshape(-1, mask.shape[-1]).astype(np.int64)
    pixels = pixels[:: max(1, len(pixels) // _PIXELS_A_MASK)]
    numbers: list[int] = np.unique(pixels @ (1 << 16) ** np.arange(mask.shape[-1])).tolist()
    return numbers


def tell_summary(name: str, lines: list[str]) -> None:
    """Write lines of a script to stderr."""
    for line in lines:
        tell(f"{name}: {line}.")
