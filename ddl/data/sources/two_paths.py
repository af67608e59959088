"""Inputs and targets at two paths, as one source: paired by their names, or by their places where they have none.

inputs, targets = open_source("noisy/"), open_source("clean/")
source = TwoPaths(inputs, targets, "values")      # {"image": ..., "values": ...}
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

import numpy as np

from ddl.data.pictures.listing import Listing, Sample, mask_name
from ddl.data.pictures.picture_file import SUFFIXES
from ddl.data.source import Source, View, checked_indices


class InputsOnly(View):
    """The inputs of a source, without its targets."""

    def __init__(self, source: Source) -> None:
        """Use the first field of `source`, which is closed with this one."""
        super().__init__(source)
        self._input, field = next(iter(source.fields.items()))
        self.fields = {self._input: field}

    def read(self, indices: Sequence[int] | np.ndarray) -> dict[str, np.ndarray]:
        return {self._input: self.source.read(indices)[self._input]}

    def read_column(self, name: str) -> np.ndarray | None:
        return self.source.read_column(name) if name == self._input else None

    def describe(self) -> str:
        return Source.describe(self)


class Itself(View):
    """Samples whose target is their input, as an autoencoder has them."""

    def __init__(self, source: Source) -> None:
        """Use the first field of `source`, which is closed with this one."""
        super().__init__(source)
        self._input, field = next(iter(source.fields.items()))
        self.fields = {"image": field, "values": field}

    def read(self, indices: Sequence[int] | np.ndarray) -> dict[str, np.ndarray]:
        pictures = self.source.read(indices)[self._input]
        return {"image": pictures, "values": pictures}

    def read_column(self, name: str) -> np.ndarray | None:
        del name
        return None

    def describe(self) -> str:
        return Source.describe(self)


class TwoPaths(Source):
    """Inputs of one source with targets of another: "image" and "mask", "values" or "label"."""

    def __init__(self, inputs: Source, targets: Source, target: str) -> None:
        """Pair the samples of two sources, which are closed with this one.

        Args:
            inputs: its first field is the input.
            targets: its first field is the target.
            target: the name of the target: "mask", "values" or "label".

        Raises:
            ValueError: a sample of one of them has no partner in the other.
        """
        self._inputs, self._targets, self._target = inputs, targets, target
        (self._input, image), (self._found, field) = (
            next(iter(source.fields.items())) for source in (inputs, targets)
        )
        self.fields = {"image": image, target: field}
        self._places = pair_places(
            [inputs.name_of(index) for index in range(len(inputs))],
            [targets.name_of(index) for index in range(len(targets))],
        )

    def __len__(self) -> int:
        return len(self._inputs)

    def read(self, indices: Sequence[int] | np.ndarray) -> dict[str, np.ndarray]:
        wanted = checked_indices(indices, len(self))
        pictures = self._inputs.read(wanted)[self._input]
        return {
            "image": pictures,
            self._target: self._targets.read(self._places[wanted])[self._found],
        }

    def read_column(self, name: str) -> np.ndarray | None:
        if name != "label" or self._target != name:
            return None
        return self._targets.read(self._places)[self._found]

    def name_of(self, index: int) -> str:
        return self._inputs.name_of(index)

    @property
    def manifest(self) -> Mapping[str, Any]:
        return self._inputs.manifest

    @property
    def value_range(self) -> tuple[float, float] | None:
        return self._inputs.value_range

    def stored_values(self, index: int) -> np.ndarray:
        return self._inputs.stored_values(index)

    def close(self) -> None:
        self._inputs.close()
        self._targets.close()


def pair_places(inputs: Sequence[str], targets: Sequence[str]) -> np.ndarray:
    """Return the place of each input's target, (inputs,) int64.

    Names are compared without their suffixes, and a target may have an ending such as `_mask`. Where all names are
    numbers in order, as in one array of many samples, or there is one sample of each, places count.

    Raises:
        ValueError: names the first sample without a partner, and how many more there are.
    """
    if len(inputs) == len(targets) and (
        len(inputs) == 1 or (_are_places(inputs) and _are_places(targets))
    ):
        return np.arange(len(inputs))
    known = {_stem(name): place for place, name in enumerate(inputs)}
    _check_unique(known, inputs)
    places = np.full(len(inputs), -1)
    rest: list[str] = []
    for number, name in enumerate(targets):
        stem = mask_name(_stem(name), known)
        place = known.get(stem, -1)
        if place < 0:
            rest.append(name)
        elif places[place] >= 0:
            raise ValueError(
                f"Received: {targets[places[place]]} and {name}, two targets of {inputs[place]}. Expected: one of each "
                "name; remove the other."
            )
        else:
            places[place] = number
    _check_complete(inputs, places, rest)
    return places


def pair_files(inputs: Listing, targets: Listing) -> Listing:
    """Return the pictures of one listing with those of another as their masks, paired as `pair_places` says."""
    names = [
        [sample.image.relative_to(listing.root).as_posix() for sample in listing.samples]
        for listing in (inputs.refuse_problems(), targets.refuse_problems())
    ]
    try:
        places = pair_places(*names)
    except ValueError as error:
        _, _, text = str(error).partition("Received: ")
        raise ValueError(f"Received: in {inputs.root} and {targets.root}, {text}") from error
    samples = tuple(
        Sample(sample.image, mask=targets.samples[int(place)].image)
        for sample, place in zip(inputs.samples, places, strict=True)
    )
    return dataclasses.replace(inputs, samples=samples, class_names=())


def alone(listing: Listing) -> Listing:
    """Return the pictures of a listing without their masks and labels."""
    samples = tuple(Sample(sample.image) for sample in listing.samples)
    return dataclasses.replace(listing, samples=samples, class_names=())


def _are_places(names: Sequence[str]) -> bool:
    return all(name == str(place) for place, name in enumerate(names))


def _stem(name: str) -> str:
    """Return a name without the suffix of a picture; other dots are part of a name."""
    path = PurePosixPath(name)
    return path.with_suffix("").as_posix() if path.suffix.lower() in SUFFIXES else name


def _check_unique(known: Mapping[str, int], inputs: Sequence[str]) -> None:
    if len(known) == len(inputs):
        return
    for place, name in enumerate(inputs):
        other = known[_stem(name)]
        if other != place:
            raise ValueError(
                f"Received: {name} and {inputs[other]}, two inputs of one name. Expected: different names; rename one."
            )


def _check_complete(inputs: Sequence[str], places: np.ndarray, rest: Sequence[str]) -> None:
    lonely = [inputs[place] for place in np.flatnonzero(places < 0).tolist()]
    for names, what, other in ((lonely, "input", "target"), (rest, "target", "input")):
        if names:
            more = f" and {len(names) - 1} more" if len(names) > 1 else ""
            an_other = "an input" if other == "input" else "a target"
            raise ValueError(
                f"Received: {what} {names[0]}{more} without {an_other} of that name. Expected: one {other} for each "
                f"{what}, with the same name or that name and _mask; add it, or remove the {what}."
            )
