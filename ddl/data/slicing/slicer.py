"""How one set of slices is described: "name=a sizes=64,64 strides=32,32". Checks all that needs no array."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ddl.options import convert_fields, parse_options, read_options

_SIDES = ("padding", "padded_sizes", "strides")
MOST_SAMPLE_AXES = 3


@dataclass(frozen=True)
class Slicer:
    """A set of boxes of one size, at equal distances, which cover an array.

    Attributes:
        name: name of the set, and of its data set in an assembled file; by default slices_1 for the first set.
        sizes: size of a box along each axis of the array, without that of channels. An axis of size 1 is left out of
            the sample.
        padding: zeros to add on both sides of a box, for each axis.
        padded_sizes: size of the sample for each axis, in place of `padding`; an odd number of zeros has one more at
            the end.
        strides: distance between the starts of two neighbouring boxes, for each axis; by default `sizes`.
        discard_remainders: whether to leave out what is left at the end of an axis. By default it becomes a box, which
            is filled up with zeros.
        transpose: whether to swap the two axes of each sample.
    """

    sizes: tuple[int, ...]
    name: str = ""
    padding: tuple[int, ...] = ()
    padded_sizes: tuple[int, ...] = ()
    strides: tuple[int, ...] = ()
    discard_remainders: bool = False
    transpose: bool = False

    def __post_init__(self) -> None:
        """Convert every field to its type, and refuse what no array could be cut by."""
        convert_fields(self)
        self._check_name()
        self._check_numbers()
        if self.padding and self.padded_sizes:
            raise self._refusal(
                f"padding={_listed(self.padding)} with padded_sizes={_listed(self.padded_sizes)}",
                "one of them",
            )
        self._check_padding()
        axes = sum(size > 1 for size in self.sizes)
        if not 1 <= axes <= MOST_SAMPLE_AXES:
            raise self._refusal(
                f"sizes={_listed(self.sizes)}, of which {axes} are above 1",
                f"1 to {MOST_SAMPLE_AXES} above 1, because an axis of size 1 is left out of the sample",
            )
        if self.transpose and axes != 2:
            raise self._refusal(
                f"transpose=true for samples of {axes} axes (sizes={_listed(self.sizes)})",
                "no transpose, or samples of two axes",
            )

    @property
    def steps(self) -> tuple[int, ...]:
        """The distance between neighbouring boxes, for each axis."""
        return self.strides or self.sizes

    @property
    def total_sizes(self) -> tuple[int, ...]:
        """The size of a box with its padding, for each axis."""
        if self.padding:
            both = zip(self.sizes, self.padding, strict=True)
            return tuple(size + 2 * zeros for size, zeros in both)
        return self.padded_sizes or self.sizes

    @property
    def kept_axes(self) -> tuple[int, ...]:
        """The axes of the array that a sample has, in the order of the sample."""
        axes = tuple(axis for axis, size in enumerate(self.sizes) if size > 1)
        return axes[::-1] if self.transpose else axes

    @property
    def sample_sides(self) -> tuple[int, ...]:
        """The sides of a sample, without channels."""
        return tuple(self.total_sizes[axis] for axis in self.kept_axes)

    def _check_name(self) -> None:
        is_plain = self.name.isprintable() and "/" not in self.name
        if not is_plain or self.name in (".", "..") or self.name != self.name.strip():
            raise ValueError(
                f"Received: slicer name={self.name!r}. Expected: a name without / and without spaces at its ends."
            )

    def _check_numbers(self) -> None:
        axes = len(self.sizes)
        for name in ("sizes", *_SIDES):
            numbers: tuple[int, ...] = getattr(self, name)
            least = 0 if name == "padding" else 1
            if any(number < least for number in numbers) or (name == "sizes" and not numbers):
                raise self._refusal(
                    f"{name}={_listed(numbers)}",
                    f"a whole number of at least {least} for each axis",
                )
            if numbers and len(numbers) != axes:
                raise self._refusal(
                    f"{name}={_listed(numbers)} with sizes={_listed(self.sizes)}",
                    f"{axes} numbers, one for each of sizes",
                )

    def _check_padding(self) -> None:
        for size, total in zip(self.sizes, self.total_sizes, strict=True):
            if total < size:
                raise self._refusal(
                    f"padded_sizes={_listed(self.padded_sizes)} with sizes={_listed(self.sizes)}",
                    "at least sizes for each axis",
                )
            if size == 1 and total > 1:
                given = "padding" if self.padding else "padded_sizes"
                raise self._refusal(
                    f"{given}={_listed(getattr(self, given))} with sizes={_listed(self.sizes)}",
                    "no padding where sizes is 1, because the sample has no such axis",
                )

    def _refusal(self, received: str, expected: str) -> ValueError:
        whose = f" {self.name!r}" if self.name else ""
        return ValueError(f"Received: slicer{whose} with {received}. Expected: {expected}.")


_OPTIONS = f"{__name__}:Slicer"


def parse_slicers(texts: Iterable[str]) -> tuple[Slicer, ...]:
    """Return the sets that texts such as "name=a sizes=64,64" describe, each with a name of its own.

    Raises:
        ValueError: one of them cannot be, two have one name, or their samples differ in shape.
    """
    slicers = [_parse(text, number) for number, text in enumerate(texts, 1)]
    for number, slicer in enumerate(slicers):
        if slicer.name in {other.name for other in slicers[:number]}:
            raise ValueError(
                f"Received: two slicers with name={slicer.name}. Expected: a name of its own for each."
            )
        _check_alike(slicers[0], slicer)
    return tuple(slicers)


def _parse(text: str, number: int) -> Slicer:
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise ValueError(
            f"Received: slicer {text!r} ({error}). Expected: such as 'name=a sizes=64,64 strides=32,32'."
        ) from None
    values = parse_options(words, read_options(_OPTIONS), "slicer")
    if "sizes" not in values:
        raise ValueError(
            f"Received: slicer {text!r} without sizes. Expected: sizes=64,64 or the like, a number for each axis of "
            "the array."
        )
    return Slicer(**{"name": f"slices_{number}", **values})


def _check_alike(first: Slicer, other: Slicer) -> None:
    if len(other.sizes) != len(first.sizes):
        raise ValueError(
            f"Received: slicers {first.name!r} with {len(first.sizes)} sizes and {other.name!r} with "
            f"{len(other.sizes)}. Expected: the same number, because both cut one array."
        )
    if other.sample_sides != first.sample_sides:
        raise ValueError(
            f"Received: slicers {first.name!r} and {other.name!r} with samples of {_by(first.sample_sides)} and "
            f"{_by(other.sample_sides)}. Expected: one shape; padded_sizes or transpose can make them equal."
        )


def slicer_text(
    sizes: Sequence[int],
    name: str = "",
    padding: Sequence[int] = (),
    padded_sizes: Sequence[int] = (),
    strides: Sequence[int] = (),
    discard_remainders: bool = False,
    transpose: bool = False,
) -> str:
    """Return the text that `parse_slicers` reads, without what is at its default."""
    words = [f"name={name}"] if name else []
    sides = {"sizes": sizes, "padding": padding, "padded_sizes": padded_sizes, "strides": strides}
    words += [f"{key}={_listed(value)}" for key, value in sides.items() if value]
    switches = {"discard_remainders": discard_remainders, "transpose": transpose}
    words += [f"{key}=true" for key, value in switches.items() if value]
    return shlex.join(words)


def _listed(numbers: Sequence[int]) -> str:
    return ",".join(map(str, numbers))


def _by(sides: Sequence[int]) -> str:
    return "x".join(map(str, sides))
