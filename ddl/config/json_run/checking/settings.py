"""The values of a checked config: what was given, where, and the defaults of the rest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ddl.config.json_run.grammar import find_key
from ddl.config.json_run.keys.loss import PDE_LOSSES
from ddl.config.json_run.place import Place, Problem

FILES = ("images", "numpy", "hdf5")
"""Types of targets that are in files of their own."""


@dataclass
class Settings:
    """A run as its config describes it. Paths are such as "data.batch_size".

    Attributes:
        given: path -> value of each key that is no object; lists as tuples, names as the table spells them. Lists of
            objects are tuples of dicts that have the values of all their keys, None for those not given.
        places: path -> where it is given, also of objects and what is in lists ("data.slicers.0.sizes").
        source: where the whole run is given.
        asked: paths that were asked for.
    """

    given: dict[str, Any] = field(default_factory=dict)
    places: dict[str, Place] = field(default_factory=dict)
    source: Place = field(default_factory=lambda: Place(""))
    asked: set[str] = field(default_factory=set)

    def __getitem__(self, path: str) -> Any:
        """Return a value: the given one, or the default."""
        self.asked.add(path)
        return self.given[path] if path in self.given else find_key(path).default

    def has(self, path: str) -> bool:
        """Return whether a key is given: a value, or an object."""
        self.asked.add(path)
        return path in self.places

    def place(self, *paths: str) -> Place:
        """Return where the first of these that is given stands, else where the nearest object around it does."""
        for path in paths:
            if path in self.places:
                return self.places[path]
        for path in paths:
            while "." in path:
                path = path.rpartition(".")[0]
                if path in self.places:
                    return self.places[path]
        return self.source

    def problem(self, path: str, text: str) -> Problem:
        """Return a problem of a key."""
        return Problem(self.place(path), path, text)

    @property
    def trains(self) -> bool:
        """Whether the run trains; else it evaluates or predicts alone."""
        if "pde" in (self["data.type"], self["data.input_type"]) and not self.has(
            "data.input_path"
        ):
            return self.has("data.num_examples")
        return self.has("data.input_path")

    @property
    def is_gan(self) -> bool:
        """Whether the run is that of a generator and a discriminator."""
        return any(self.has(name) for name in ("generator", "discriminator", "gan"))

    @property
    def is_detector(self) -> bool:
        """Whether the run is that of a network that finds boxes, by its name."""
        return self.has("detector")

    @property
    def has_layers(self) -> bool:
        """Whether the run has one network, from a file or as a list of layers."""
        return not (self.is_gan or self.is_detector)

    @property
    def has_target_files(self) -> bool:
        """Whether targets are in files of their own: no labels, and a loss that needs targets."""
        return (
            self.target_type in FILES
            and self["loss.function"] not in PDE_LOSSES
            and self.has_layers
        )

    @property
    def only_outputs(self) -> bool:
        """Whether the run has no targets at all: then it writes the network's outputs alone."""
        has_any = self.trains or self.has("data.test_target_path")
        return self.has_target_files and not has_any

    @property
    def tests(self) -> bool:
        """Whether the run has test data."""
        return self.has("data.test_input_path") or self.has("data.num_test_examples")

    @property
    def input_type(self) -> str | None:
        """What inputs are."""
        kind: str | None = self["data.input_type"] or self["data.type"]
        return kind

    @property
    def target_type(self) -> str | None:
        """What targets are."""
        kind: str | None = self["data.target_type"] or self["data.type"]
        return kind


def fields_of(settings: Settings, prefix: str) -> Mapping[str, Any]:
    """Return the given values of an object, by key."""
    return {
        path.removeprefix(f"{prefix}."): value
        for path, value in settings.given.items()
        if path.startswith(f"{prefix}.")
    }
