"""A fixed latent vector depends on its seed, its purpose and its number, and on nothing else."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ddl.training.adversarial.samples.fixed_latents import ASKED, SHOWN, fixed_latents


@given(st.integers(0, 2**63 - 1), st.lists(st.integers(0, 2**40), max_size=5), st.integers(1, 20))
def test_it_does_not_depend_on_those_beside_it(seed: int, numbers: list[int], size: int) -> None:
    together = fixed_latents(seed, SHOWN, np.array(numbers, int), size)
    alone = [fixed_latents(seed, SHOWN, np.array([number]), size)[0] for number in numbers]
    assert together.shape == (len(numbers), size)
    assert all((row == one).all() for row, one in zip(together, alone, strict=True))


@pytest.mark.parametrize("change", [{"seed": 1}, {"purpose": ASKED}, {"numbers": np.array([1])}])
def test_another_seed_purpose_or_number_gives_another(change: dict[str, object]) -> None:
    values = {"seed": 0, "purpose": SHOWN, "numbers": np.array([0]), "size": 8}
    first, second = fixed_latents(**values), fixed_latents(**{**values, **change})
    assert np.abs(first - second).min() > 0


def test_they_are_draws_of_the_normal_distribution() -> None:
    values = fixed_latents(0, SHOWN, np.arange(2000), 8)
    assert values.mean() == pytest.approx(0, abs=0.03)
    assert values.std() == pytest.approx(1, abs=0.03)
