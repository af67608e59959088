"""A target is reached in the first epoch that has its value, in the direction of its metric."""

from __future__ import annotations

import math
from typing import Any

import pytest

from ddl.training.optimization.target import parse_target

NAN = math.nan


def history(name: str, values: list[float | None]) -> list[dict[str, Any]]:
    """Return epochs of 2.5 s; those without the value were not validated."""
    rows = [{"epoch": number, "seconds": 2.5} for number in range(1, len(values) + 1)]
    return [
        row if value is None else row | {name: value}
        for row, value in zip(rows, values, strict=True)
    ]


@pytest.mark.parametrize(
    ("text", "values", "epoch"),
    [
        ("val_top_1=0.9", [0.5, 0.9, 0.95], 2),
        ("val_top_1=0.9", [0.95, 0.5], 1),
        ("val_top_1=0.9", [0.5, 0.8999], None),
        ("val_top_1=0.9", [None, 0.5, None, 0.9], 4),
        ("val_top_1=0.9", [NAN, NAN], None),
        ("val_loss = 0.5", [0.7, NAN, 0.5], 3),
        ("loss=0.5", [0.51], None),
        ("loss=0.5", [], None),
    ],
)
def test_the_direction_is_that_of_the_name(
    text: str, values: list[float | None], epoch: int | None
) -> None:
    target = parse_target(text)
    epochs = history(target.monitor, values)
    assert target.reached_in(epochs) == epoch
    assert target.seconds(epochs) == (None if epoch is None else 2.5 * epoch)


def test_the_direction_of_the_monitored_quantity_is_that_of_the_run() -> None:
    assert parse_target("val_mine=3", "val_mine", "max").mode == "max"
    assert parse_target("val_mine=3", "val_loss", "max").mode == "min"


@pytest.mark.parametrize("text", ["val_loss", "val_loss=", "=0.5", "val_loss=low", "val_loss=inf"])
def test_what_is_no_target_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"Received: target=.* Expected: NAME=VALUE"):
        parse_target(text)
