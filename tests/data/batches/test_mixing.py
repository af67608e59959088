"""Mixup and CutMix as published: what is blended, with which weights, and that labels keep their mean."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ddl.data.batches.mixing import Blend, Mixing, mixed
from ddl.data.sharding import partner_positions, shard_bounds, step_indices, step_pairs

MIXINGS = st.builds(
    Mixing,
    mixup=st.floats(0.05, 4),
    cutmix=st.floats(0.05, 4),
    probability=st.floats(0.01, 1),
    switch=st.floats(0, 1),
)
SIDES = st.tuples(st.integers(1, 40), st.integers(1, 40))


def blends(mixing: Mixing, count: int, sides: tuple[int, int] = (32, 24)) -> list[Blend | None]:
    return [mixing.blend(sides, seed=0, epoch=0, step=step) for step in range(count)]


@given(count=st.integers(1, 200), size=st.integers(1, 9))
def test_partners_are_mutual_and_nearly_all_on_the_same_rank(count: int, size: int) -> None:
    whole = partner_positions(0, count, count)
    assert np.array_equal(np.sort(whole), np.arange(count))
    assert np.array_equal(whole[whole], np.arange(count))
    assert (whole == np.arange(count)).sum() == count % 2
    for rank in range(size):
        start, end = shard_bounds(count, rank, size)
        part = partner_positions(start, end, count)
        assert np.array_equal(part, whole[start:end])
        assert ((part < start) | (part >= end)).sum() <= 2


@given(count=st.integers(1, 60), batch=st.integers(1, 9), size=st.integers(1, 4))
def test_pairs_of_all_ranks_are_those_of_one(count: int, batch: int, size: int) -> None:
    order = np.random.default_rng(count).permutation(count)
    for step in range(-(-count // (batch * size))):
        whole = step_pairs(order, step, batch * size, 0, 1)
        parts = [step_pairs(order, step, batch * size, rank, size) for rank in range(size)]
        assert np.array_equal(whole, np.concatenate(parts, axis=1))
        assert np.array_equal(whole[0], step_indices(order, step, batch * size, 0, 1))


@settings(deadline=None)
@given(mixing=MIXINGS, sides=SIDES, count=st.integers(1, 9), step=st.integers(0, 10**6))
def test_every_pixel_is_a_mean_with_the_weight_of_its_label(
    mixing: Mixing, sides: tuple[int, int], count: int, step: int
) -> None:
    rng = np.random.default_rng(step)
    labels = np.eye(4, dtype=np.float32)[rng.integers(4, size=count)]
    # Pictures of one colour, the label's: then the mean colour is the mixed label.
    pictures = np.broadcast_to(labels[:, None, None], (count, *sides, 4))
    partners = partner_positions(0, count, count)
    blend = mixing.blend(sides, seed=1, epoch=2, step=step)
    if blend is None:
        return
    images, targets = mixed(blend, pictures, pictures[partners], labels, labels[partners])
    assert images.dtype == targets.dtype == np.float32
    assert images.mean((1, 2)) == pytest.approx(targets, abs=1e-4)
    assert targets.sum(axis=1) == pytest.approx(np.ones(count), abs=1e-6)
    assert (targets >= 0).all()
    assert targets.mean(axis=0) == pytest.approx(labels.mean(axis=0), abs=1e-6)
    assert 0 <= blend.share <= 1


def test_mixup_draws_its_weight_from_a_beta_distribution() -> None:
    for alpha in (0.2, 1.0, 3.0):
        drawn = blends(Mixing(mixup=alpha), 3000)
        shares = np.array([blend.share for blend in drawn if blend is not None])
        assert len(shares) == 3000
        assert all(blend is not None and blend.area is None for blend in drawn)
        assert shares.mean() == pytest.approx(0.5, abs=0.02)
        assert shares.var() == pytest.approx(1 / (4 * (2 * alpha + 1)), rel=0.1)


def test_cutmix_pastes_rectangles_around_any_place_and_counts_their_pixels() -> None:
    covered = np.zeros((32, 24))
    for blend in blends(Mixing(cutmix=1.0), 2000):
        assert blend is not None
        assert blend.area is not None
        pasted = np.zeros((32, 24))
        pasted[blend.area] = 1
        assert blend.share == pytest.approx(1 - pasted.mean())
        covered += pasted
    assert covered.min() > 200  # corners, too
    assert covered[16, 12] > covered[0, 0]


def test_probability_and_switch_hold_and_leave_other_draws_alone() -> None:
    half = blends(Mixing(mixup=1, cutmix=1, probability=0.5, switch=0.25), 2000)
    full = blends(Mixing(mixup=1, cutmix=1, switch=0.25), 2000)
    on = [blend for blend in half if blend is not None]
    assert len(on) == pytest.approx(1000, abs=80)
    assert sum(blend.area is not None for blend in on) == pytest.approx(len(on) / 4, abs=60)
    assert all(one in (None, two) for one, two in zip(half, full, strict=True))


def test_draws_depend_on_seed_epoch_and_step_alone() -> None:
    mixing = Mixing(mixup=1.0)
    keys = [(s, e, k) for s in (0, 1) for e in (0, 1) for k in (0, 1)]
    drawn = [mixing.blend((8, 8), seed=s, epoch=e, step=k) for s, e, k in keys]
    assert len(set(map(str, drawn))) == len(keys)
    assert drawn == [mixing.blend((8, 8), seed=s, epoch=e, step=k) for s, e, k in keys]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "mix without mixup or cutmix. Expected: the alpha of one of them"),
        ({"probability": 0.5}, "mix without mixup or cutmix"),
        ({"mixup": -1.0}, "mixup=-1.0 for mix. Expected: at least 0"),
        ({"mixup": float("nan")}, "mixup=nan for mix"),
        ({"cutmix": 1.0, "probability": 0.0}, "probability=0.0 for mix. Expected: above 0"),
        ({"cutmix": 1.0, "switch": 0.3}, "mix with switch=0.3 and only one of mixup and cutmix"),
        ({"mixup": 1.0, "cutmix": 1.0, "switch": 2.0}, "switch=2.0 for mix. Expected: at least 0"),
        ({"mixup": 1.0, "off_epochs": -1}, "off_epochs=-1 for mix. Expected: at least 0"),
    ],
)
def test_invalid_options_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Mixing(**options)
