"""The full-size demand `--long kills`: 100 random kills. Its smaller sister is in test_interruptions.py."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.training.interrupted_runs import differences, finish
from tests.training.kill_again import KINDS, PLANS, kill_once

TIMES = 50
SEED = 7


@pytest.mark.long("kills")
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("plan", PLANS)
def test_killed_fifty_times_it_ends_with_the_same_bits(
    tmp_path: Path, plan: str, record_property: Callable[[str, object], None]
) -> None:
    reference, killed = tmp_path / "reference", tmp_path / "killed"
    draw = random.Random(SEED)
    finish(reference, *PLANS[plan])
    kills = [kill_once(killed, PLANS[plan], draw.choice(KINDS), draw) for _ in range(TIMES)]
    finish(killed, *PLANS[plan])
    record_property("kills", len(kills))
    record_property("half_written", sum("half-written" in line for line in kills))
    assert differences(killed, reference) == []
