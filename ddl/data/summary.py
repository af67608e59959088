"""What is said of data when they are opened, by training, evaluation and export alike."""

from __future__ import annotations

from ddl.data.source import Source
from ddl.data.value_range import narrow_range, to_text
from ddl.plain_text import tell


def summary_lines(origin: object, source: Source, flag: str = "--data-option range=") -> list[str]:
    """Return what the data were taken for, and a second line if their values use little of what their type can hold.

    Reads at most 8 pictures.

    Args:
        origin: what the user calls the data: their path.
        source: the data, or a part of them.
        flag: how the user gives a range.
    """
    line = f"{origin}: {source.describe()}"
    if source.value_range is not None:
        return [f"{line}, values {to_text(source.value_range)} scaled to 0 to 1"]
    try:
        narrow = narrow_range(len(source), source.stored_values, flag)
    except (ValueError, OSError):  # a damaged sample: whoever trains on it says so
        narrow = ""
    return [line, f"{origin}: {narrow}"] if narrow else [line]


def tell_summary(name: str, lines: list[str]) -> None:
    """Write lines of a script to stderr."""
    for line in lines:
        tell(f"{name}: {line}.")
