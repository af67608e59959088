"""Which columns of a row hold the label, the flag for validation and the targets; all others are the input."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ddl.ranges import did_you_mean

AUTO, NONE, LAST = "auto", "none", "last"


@dataclass(frozen=True)
class Columns:
    """Columns of a row, counted from 0.

    Attributes:
        count: how many a row has.
        label: the column of the label; None without one.
        flag: the column of the flag for validation; None without one.
        targets: columns of values to predict.
    """

    count: int
    label: int | None
    flag: int | None
    targets: tuple[int, ...] = ()

    @property
    def inputs(self) -> list[int]:
        """The other columns, in their order."""
        taken = {self.label, self.flag, *self.targets}
        return [column for column in range(self.count) if column not in taken]

    def shape(self, given: Sequence[int] | None, where: str) -> tuple[int, ...]:
        """Return the shape of a sample as the file has it, checked against the number of values.

        Raises:
            ValueError: another number of values.
        """
        values = len(self.inputs)
        if given is None:
            return (values,)
        if not 1 <= len(given) <= 4 or min(given) < 1:
            raise ValueError(
                f"Received: shape={','.join(map(str, given))}. Expected: channels,height,width or height,width as the "
                "file has them, such as 3,32,32; or one number."
            )
        if math.prod(given) != values:
            raise ValueError(
                f"Received: {where} with {values} values for each input ({self.told()}), for shape="
                f"{','.join(map(str, given))}. Expected: {math.prod(given)}; correct shape, label or flag."
            )
        return tuple(given)

    def told(self) -> str:
        """Return what the columns are taken for, counted from 1."""
        parts = [f"label in column {self.label + 1}" if self.label is not None else "no label"]
        if self.targets:
            listed = ", ".join(str(column + 1) for column in self.targets)
            parts = [f"{'target' if len(self.targets) == 1 else 'targets'} in column {listed}"]
        parts.append(
            "no flag for validation"
            if self.flag is None
            else f"flag for validation in column {self.flag + 1}"
        )
        return ", ".join(parts)


def choose_columns(
    count: int,
    names: Sequence[str],
    label: str,
    flag: str,
    target: Sequence[str] | None,
    where: str,
) -> Columns:
    """Return the columns that options name, by number from 1 (-1 is the last one) or by the header's names.

    Args:
        count: how many a row has.
        names: the header's; none without one.
        label: a column; "auto" is the one before the flag, or the last one without a flag; "none".
        flag: a column; "last"; "none".
        target: columns of values to predict, in place of a label.
        where: names the row that was counted.

    Raises:
        ValueError: no such column, or two meanings for one.
    """

    def column(option: str, text: str) -> int:
        number = list(names).index(text) + 1 if text in names else _number(text)
        number += count + 1 if number is not None and number < 0 else 0  # type: ignore[operator]
        if number is None or not 1 <= number <= count:
            known = f"a column from 1 to {count}, or -1 for the last one"
            if names:
                known += f", or a name of the header.{did_you_mean(text, names)}".rstrip(".")
            raise ValueError(f"Received: {option}={text} for {where}. Expected: {known}.")
        return number - 1

    flag_at = None if flag == NONE else count - 1 if flag == LAST else column("flag", flag)
    targets = tuple(column("target", text) for text in target or ())
    if label == NONE or (targets and label == AUTO):
        label_at = None
    elif label == AUTO:
        rest = [at for at in range(count) if at != flag_at]
        before = [at for at in rest if flag_at is None or at < flag_at]
        label_at = (before or rest or [0])[-1]
    else:
        label_at = column("label", label)
    if targets and label_at is not None:
        raise ValueError(
            f"Received: label={label} and target={','.join(target or ())}. Expected: one of them."
        )
    taken = [at for at in (label_at, flag_at, *targets) if at is not None]
    if len({*taken}) != len(taken):
        raise ValueError(
            f"Received: label={label}, flag={flag}, target={','.join(target or ()) or NONE} for {where}, which name "
            "one column twice. Expected: different columns; flag=none for rows without a flag for validation."
        )
    if len(taken) >= count:
        raise ValueError(
            f"Received: {where} with {count} {'value' if count == 1 else 'values'}, none of them an input. Expected: "
            "inputs, label, flag for validation; set label=none or flag=none for rows without them, or another "
            "delimiter."
        )
    return Columns(count, label_at, flag_at, targets)


def _number(text: str) -> int | None:
    try:
        return int(text) or None
    except ValueError:
        return None


def channels_last(values: np.ndarray, shape: Sequence[int]) -> np.ndarray:
    """Return rows of values as samples: (rows, n) as (rows, n), (H, W, 1), or (H, W, C) for the file's C, H, W."""
    stored = values.reshape(len(values), *shape)
    if len(shape) == 1:
        return stored
    if len(shape) == 2:
        return stored[..., None]
    return np.moveaxis(stored, 1, -1)


def sample_shape(shape: Sequence[int]) -> tuple[int, ...]:
    """Return the shape of a sample with its channels last."""
    return channels_last(np.empty((0, math.prod(shape))), shape).shape[1:]
