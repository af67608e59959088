"""Inputs of equations: drawn from seed and index, in the forms that models take."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from ddl.data.sources import open_source, splits_of


def test_maps_have_the_sides_asked_for() -> None:
    assert open_source("diffusion-maps", size=12, count=3).read([2, 0])["image"].shape == (
        2,
        12,
        12,
        1,
    )
    volumes = open_source("diffusion-maps-3d", size=6, count=2, seed=1)
    assert volumes.read([1])["image"].shape == (1, 6, 6, 6, 1)
    assert volumes.describe() == "2 maps of a diffusion coefficient, 6x6x6"
    assert (volumes.read([0, 1])["image"] > 0).all()


def test_a_wave_stands_alone_or_at_every_time() -> None:
    alone = open_source("burgers", domain_size=16, count=2).read([1])["image"]
    repeated = open_source("burgers", domain_size=16, count=2, time_steps=5).read([1])["image"]
    assert (alone.shape, repeated.shape) == ((1, 16, 1), (1, 16, 5, 1))
    np.testing.assert_array_equal(repeated, np.repeat(alone[:, :, None], 5, axis=2))


def test_evenly_spaced_frequencies_have_both_ends() -> None:
    options: dict[str, Any] = {"bc_type": "fixed_uniform", "bc_frequency": (1.0, 3.0)}
    waves = open_source("burgers", domain_size=9, count=3, **options).read([0, 1, 2])["image"]
    places = np.arange(9) / 8
    expected = [(1 - np.cos(2 * np.pi * c * places)) / 2 for c in (1, 2, 3)]
    np.testing.assert_allclose(waves[..., 0], expected, atol=1e-6)


def test_validation_has_waves_of_its_own() -> None:
    assert splits_of("burgers") == ()
    assert splits_of("burgers", {"validation_count": 2}) == ("train", "validation")
    parts = {
        split: open_source("burgers", count=3, validation_count=2, split=split)
        for split in ("train", "validation")
    }
    assert [len(part) for part in parts.values()] == [3, 2]
    training, validation = (part.read([0])["image"] for part in parts.values())
    assert not np.allclose(training, validation)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"bc_frequency": (4.0, 1.0)}, "bc_frequency=4,1 .* a smallest and a largest"),
        ({"bc_frequency": (4.0,)}, "bc_frequency=4 "),
        ({"bc_type": "fixed"}, "bc_type='fixed'.*random_uniform, fixed_uniform"),
        ({"bc_type": "fixed_uniform", "waves": 2}, "waves=2 with bc_type=fixed_uniform"),
        ({"split": "validation"}, "validation_count=0"),
        ({"domain_size": 2}, "domain_size=2"),
    ],
)
def test_bad_options_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        open_source("burgers", **options)
