"""The table of transforms: a name, how its value is written, and what it makes. One entry is one "name=value".

    transform, = parse_transforms(["resize=128x96"])

Beside the names here, each option of the augmentation (`docs/data.md`) is a name: random ones of this table that an
option has too are that option under a second name.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from ddl.options import Option, parse_size, parse_value, read_options
from ddl.ranges import Range, check_ranges, expected_one_of

AUGMENTATION = "ddl.data.batches.augmentation:Augmentation"
_NO_TRANSFORM = (
    *(
        "elastic_smoothness_pixels",
        "resized_scale",
        "resized_ratio",
        "box_visibility",
    ),  # tune others
    *("crop_size", "crop_foreground", "central_crop"),  # give training samples another size
)


@dataclass(frozen=True)
class Entry:
    """One name of the table.

    Attributes:
        value: how its value is written, for messages and docs.
        help: what it does.
        when: "always", or "training".
        option: the augmentation's option of the same meaning, if there is one.
    """

    value: str
    help: str
    when: str = "always"
    option: str | None = None


TABLE = {
    "resize": Entry("HxW", "resize to this height and width, bilinear without averaging"),
    "normalize": Entry("MEAN,DEVIATION", "subtract the mean and divide by the deviation"),
    "center_crop": Entry("HxW", "keep the middle of this height and width"),
    "rotate": Entry("DEGREES", "rotate clockwise"),
    "convert_color": Entry("NAME", "convert colours, as BGR2RGB"),
    "jitter_crop": Entry(
        "FRACTION", "cut up to half of this off each edge, and enlarge the rest", "training"
    ),
    "random_zoom": Entry(
        "FRACTION", "cut up to half of this off every edge alike, and enlarge the rest", "training"
    ),
    "random_horizontal_flip": Entry(
        "PROBABILITY", "flip along the width", "training", "flip_horizontal"
    ),
    "random_vertical_flip": Entry(
        "PROBABILITY", "flip along the height", "training", "flip_vertical"
    ),
    "random_rotate": Entry(
        "DEGREES", "rotate by up to this angle, either way", "training", "rotation_degrees"
    ),
    "random_patches": Entry(
        "NUMBER,SIDE", "empty so many squares of inputs; targets hold what was in them"
    ),
}
"""Name -> its entry, in the order of the docs."""

_RANGES = {
    **dict.fromkeys(("jitter_crop", "random_zoom"), Range(0, 1, below=True)),
    "rotate": Range(-360, 360),
    "deviation": Range(0, math.inf, above=True),
    "mean": Range(),
    "number": Range(1, 10000),
    "side": Range(1),
}


@dataclass(frozen=True)
class Stated:
    """A transform as it is written: its name, and its value as Python has it."""

    name: str
    value: object

    @property
    def is_resize(self) -> bool:
        """Whether it is a resize."""
        return self.name == "resize"


def parse_transforms(texts: Iterable[str]) -> tuple[Stated, ...]:
    """Return the transforms that texts such as "resize=128x128" state, in their order.

    Raises:
        ValueError: an unknown name, or a value that its transform does not take.
    """
    return tuple(map(_parse, texts))


def is_resize_to(text: str, size: tuple[int, int] | None) -> bool:
    """Return whether a text states a resize to this size."""
    stated = _parse(text)
    return stated.is_resize and stated.value == size


@functools.cache
def augmentation_options() -> dict[str, Option]:
    """Return the options of the augmentation that are transforms."""
    return {
        name: option
        for name, option in read_options(AUGMENTATION).items()
        if name not in _NO_TRANSFORM
    }


def _parse(text: str) -> Stated:
    name, equals, value = (part.strip() for part in text.partition("="))
    if not equals:
        raise ValueError(f"Received: transform {text!r}. Expected: NAME=VALUE.")
    options = augmentation_options()
    if name in options:
        return Stated(name, parse_value(value, options[name]))
    if name not in TABLE:
        raise ValueError(
            f"Received: transform {name!r}. {expected_one_of(name, (*TABLE, *options))}"
        )
    option = TABLE[name].option
    if option is not None:
        return Stated(option, parse_value(value, options[option]))
    return Stated(name, _READERS[name](name, value))


def _size(name: str, text: str) -> tuple[int, ...]:
    size = parse_size(name, text, 2)
    return size if len(size) == 2 else size * 2


def _number(name: str, text: str) -> float:
    return _numbers(name, text, (name,))[0]


def _numbers(name: str, text: str, names: tuple[str, ...]) -> tuple[float, ...]:
    try:
        values = tuple(float(part) for part in text.split(","))
        if len(values) != len(names):
            raise ValueError
    except ValueError:
        raise ValueError(
            f"Received: transform {name}={text}. Expected: {TABLE[name].value}."
        ) from None
    check_ranges(dict(zip(names, values, strict=True)), _RANGES, f"transform {name}")
    return values


def _patches(name: str, text: str) -> tuple[int, ...]:
    values = _numbers(name, text, ("number", "side"))
    if any(value % 1 for value in values):
        raise ValueError(f"Received: transform {name}={text}. Expected: two whole numbers.")
    return tuple(map(int, values))


def _code(name: str, text: str) -> str:
    from ddl.data.transforms.colour_codes import find_colour_code

    find_colour_code(text)
    return text


_READERS: dict[str, Callable[[str, str], object]] = {
    "resize": _size,
    "center_crop": _size,
    "normalize": lambda name, text: _numbers(name, text, ("mean", "deviation")),
    "rotate": _number,
    "convert_color": _code,
    "jitter_crop": _number,
    "random_zoom": _number,
    "random_patches": _patches,
}
