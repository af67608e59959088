"""A table of builders reads, checks and builds what a name and its options stand for."""

from __future__ import annotations

from typing import Any

import pytest

from ddl.builder_table import BuilderTable
from ddl.ranges import Range, check_choices, check_ranges


def build_square(*, side: float = 1.0, colour: str = "red") -> tuple[Any, ...]:
    """Return a square.

    Args:
        side: its length.
        colour: its colour.
    """
    return ("square", side, colour)


class Circle:
    """A circle.

    Args:
        radius: from its centre.
    """

    def __init__(self, owner: str, *, radius: float = 1.0, size: int | tuple[int, ...] = 1) -> None:
        self.seen = (owner, radius, size)


def refuse_large_red(given: dict[str, Any], defaults: dict[str, Any], owner: str) -> None:
    values = defaults | given
    if values.get("colour") == "red" and values["side"] > 5:
        raise ValueError(f"Received: a large red {owner}.")


TABLE = BuilderTable(
    "shape",
    {
        "square": f"{__name__}:build_square",
        "unit_square": f"{__name__}:build_square",
        "circle": f"{__name__}:Circle",
    },
    fixed={"unit_square": {"side": 1.0}},
    hidden=("owner",),
    ranges={"side": Range(0, 10), "size": Range(1), "circle.radius": Range(2)},
    choices={"colour": ("red", "blue")},
    rule=refuse_large_red,
)


def test_a_name_and_its_options_are_built() -> None:
    assert TABLE.build("square", side=2) == ("square", 2.0, "red")
    assert TABLE.build("unit_square", colour="blue") == ("square", 1.0, "blue")
    assert TABLE.build("circle", owner="me", size=[2, 3]).seen == ("me", 1.0, (2, 3))


def test_texts_become_checked_options() -> None:
    assert TABLE.parse("square", ["side=2", "colour=blue"]) == {"side": 2.0, "colour": "blue"}


def test_what_a_name_implies_and_what_the_caller_gives_are_no_options() -> None:
    assert list(TABLE.options("unit_square")) == ["colour"]
    assert list(TABLE.options("circle")) == ["radius", "size"]


def test_every_name_and_option_is_described() -> None:
    assert "square\n  side=1.0 (float): its length." in TABLE.describe()
    assert list(TABLE) == ["square", "unit_square", "circle"]


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        (
            "sqare",
            {},
            "Unknown shape. Received: 'sqare'. Expected one of: square, unit_square, circle. Did you mean 'square'?",
        ),
        (
            "ring",
            {},
            "Unknown shape. Received: 'ring'. Expected one of: square, unit_square, circle.",
        ),
        (
            "square",
            {"sde": 1},
            "Unknown option of shape square. Received: 'sde'. Expected: side, colour. Did you mean 'side'?",
        ),
        (
            "unit_square",
            {"side": 1},
            "Unknown option of shape unit_square. Received: 'side'. Expected: colour.",
        ),
        (
            "circle",
            {"owner": "x"},
            "Unknown option of shape circle. Received: 'owner'. Expected: radius, size.",
        ),
        ("square", {"side": "2"}, "Received: side='2'. Expected: a number."),
        (
            "square",
            {"side": 11},
            "Received: side=11.0 for shape square. Expected: at least 0, at most 10.",
        ),
        ("circle", {"radius": 1}, "Received: radius=1.0 for shape circle. Expected: at least 2."),
        (
            "circle",
            {"size": [3, 0]},
            "Received: size=(3, 0) for shape circle. Expected: at least 1.",
        ),
        ("circle", {"size": []}, "Received: size=() for shape circle. Expected: at least 1."),
        (
            "square",
            {"colour": "rde"},
            "Received: colour='rde'. Expected one of: red, blue. Did you mean 'red'?",
        ),
        ("square", {"side": 6}, "Received: a large red shape square."),
    ],
)
def test_what_cannot_be_built_is_refused(name: str, options: Any, message: str) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        TABLE.check(name, **options)
    assert str(caught.value) == message


def test_values_without_a_range_or_choices_pass() -> None:
    check_ranges({"a": None, "b": -1}, {"a": Range(0)}, "test")
    check_choices({"a": None, "b": "x"}, {"a": ("y",)})
