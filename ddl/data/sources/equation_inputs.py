"""Inputs of equations, generated on reading: maps of a diffusion coefficient, and waves to start from. No targets."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ddl.data.equations.burgers import drawn_wave, raised_cosines
from ddl.data.equations.diffusion_map import diffusion_map
from ddl.data.source import Field, Source, checked_indices, empty_batch
from ddl.ranges import Range, check_choice, check_ranges

_COUNT = Range(1, 10**7)
_RANGES = {
    "count": _COUNT,
    "validation_count": Range(0, 10**7),
    "size": Range(2, 4096),
    "domain_size": Range(3, 1 << 16),
    "time_steps": Range(0, 1 << 16),
    "bc_frequency": Range(0),
    "waves": Range(1, 64),
    "modes": Range(1, 1000),
    "contrast": Range(0),
    "seed": Range(0),
}
_TRAINING, _VALIDATION = 0, 1
_MOST_WAVES = 3


class EquationInputs(Source):
    """Generates each input when it is read, from its index."""

    def __init__(self, make: Callable[[int], np.ndarray], count: int, what: str) -> None:
        """Provide `count` inputs of `make(index)`; `what` describes them: "maps of a diffusion coefficient"."""
        self._make, self._count, self._what = make, count, what
        first = make(0)
        self.fields = {"image": Field(first.shape, first.dtype)}

    def __len__(self) -> int:
        return self._count

    def read(self, indices: Sequence[int] | np.ndarray) -> dict[str, np.ndarray]:
        wanted = checked_indices(indices, len(self))
        batch = empty_batch(self.fields, len(wanted))
        for row, index in enumerate(wanted):
            batch["image"][row] = self._make(int(index))
        return batch

    def describe(self) -> str:
        *sides, _ = self.fields["image"].shape
        return f"{self._count} {self._what}, {'x'.join(map(str, sides))}"


def detect_maps(path: Path) -> bool:
    """Return whether it was asked for by name."""
    return str(path) == "diffusion-maps"


def detect_volumes(path: Path) -> bool:
    """Return whether it was asked for by name."""
    return str(path) == "diffusion-maps-3d"


def detect_burgers(path: Path) -> bool:
    """Return whether it was asked for by name."""
    return str(path) == "burgers"


def burgers_splits(path: Path, options: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the splits: waves for training, and where their number is given others for validation."""
    del path
    return ("train", "validation") if options.get("validation_count") else ()


def open_maps(
    path: Path,
    *,
    count: int = 64,
    size: int = 32,
    modes: int = 6,
    contrast: float = 2.0,
    seed: int = 0,
) -> EquationInputs:
    """Make `count` maps of a diffusion coefficient with size x size nodes.

    Args:
        path: the name of this format.
        count: number of maps.
        size: nodes along each axis.
        modes: random waves that a map's logarithm is the sum of.
        contrast: largest magnitude of the logarithm.
        seed: seed of the maps.
    """
    return _maps(2, count=count, size=size, modes=modes, contrast=contrast, seed=seed)


def open_volumes(
    path: Path,
    *,
    count: int = 16,
    size: int = 16,
    modes: int = 6,
    contrast: float = 2.0,
    seed: int = 0,
) -> EquationInputs:
    """Make `count` maps with size x size x size nodes; the arguments are those of `open_maps`."""
    return _maps(3, count=count, size=size, modes=modes, contrast=contrast, seed=seed)


def _maps(axes: int, *, count: int, size: int, seed: int, **options: Any) -> EquationInputs:
    given = {"count": count, "size": size, "seed": seed, **options}
    check_ranges(given, _RANGES, "diffusion maps")

    def make(index: int) -> np.ndarray:
        return diffusion_map(index, (size,) * axes, seed, **options)

    return EquationInputs(make, count, "maps of a diffusion coefficient")


def open_burgers(
    path: Path,
    *,
    split: str | None = None,
    domain_size: int = 64,
    count: int = 64,
    validation_count: int = 0,
    bc_frequency: tuple[float, ...] = (1.0, 4.0),
    bc_type: str = "random_uniform",
    waves: int | None = None,
    time_steps: int = 0,
    seed: int = 0,
) -> EquationInputs:
    """Make waves b(x) with which Burgers' equation starts: raised cosines (1 - cos(2 pi c x)) / 2, from 0 to 1.

    Args:
        path: the name of this format.
        split: "train" or "validation"; by default both, if there are any for validation.
        domain_size: places x, evenly spaced from 0 to 1.
        count: number of waves for training.
        validation_count: number of other waves for validation; 0 holds a part of those for training out.
        bc_frequency: smallest and largest frequency c.
        bc_type: "random_uniform" draws frequencies, "fixed_uniform" spaces them evenly, with both ends.
        waves: largest number of raised cosines in a sample, whose weights are drawn and add up to 1; 3 if they are
            drawn. With "fixed_uniform" there is one.
        time_steps: repeat b so often along a second axis, for a model whose input and output have the same sides; 0
            gives b alone, (places, 1).
        seed: seed of the waves.
    """
    given = {
        "domain_size": domain_size,
        "count": count,
        "validation_count": validation_count,
        "bc_frequency": bc_frequency,
        "time_steps": time_steps,
        "seed": seed,
        **({} if waves is None else {"waves": waves}),
    }
    check_ranges(given, _RANGES, "burgers data")
    check_choice("bc_type", bc_type, ("random_uniform", "fixed_uniform"), "burgers data")
    check_choice("split", split, (None, "train", "validation"), "burgers data")
    _check_waves(bc_frequency, bc_type, waves)
    if split == "validation" and not validation_count:
        raise ValueError(
            "Received: split=validation of burgers data with validation_count=0. Expected: a number of waves."
        )
    low, high = bc_frequency
    places = np.linspace(0, 1, domain_size)
    numbers = {"train": (count, _TRAINING), "validation": (validation_count, _VALIDATION)}
    length, part = numbers[split or "train"]

    def make(index: int) -> np.ndarray:
        if bc_type == "fixed_uniform":
            frequency = np.linspace(low, high, length)[index]
            wave = raised_cosines(places, (frequency,), (1.0,))
        else:
            wave = drawn_wave(places, (seed, part, index), (low, high), waves or _MOST_WAVES)
        b = wave.astype(np.float32)[:, None]
        return np.repeat(b[:, None], time_steps, axis=1) if time_steps else b

    return EquationInputs(make, length, "waves for Burgers' equation")


def _check_waves(bc_frequency: tuple[float, ...], bc_type: str, waves: int | None) -> None:
    """Refuse frequencies that are no range, and sums of waves that are evenly spaced."""
    if len(bc_frequency) != 2 or bc_frequency[0] > bc_frequency[1]:
        raise ValueError(
            f"Received: bc_frequency={','.join(f'{c:g}' for c in bc_frequency)} of burgers data. Expected: a smallest "
            "and a largest frequency, such as 1,4."
        )
    if bc_type == "fixed_uniform" and waves not in (None, 1):
        raise ValueError(
            f"Received: waves={waves} with bc_type=fixed_uniform of burgers data. Expected: one of them; evenly spaced "
            "frequencies make samples of one wave."
        )
