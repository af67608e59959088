"""Local steps at H=16: a fifteenth of sync's bytes, and its Dice in at most 1.6 times the samples."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.ranks import call_ranks
from tests.training.parallel.unets import train_unet

EPOCHS, MORE = 12, 19
LOCAL = {"parallel": "local", "sync_every": 16}


@pytest.mark.proof
@pytest.mark.timeout(1800)
def test_the_dice_of_sync_with_a_fifteenth_of_its_bytes(tmp_path: Path) -> None:
    assert MORE <= 1.6 * EPOCHS
    how = {"timeout_s": 900.0}
    sync = call_ranks(train_unet, tmp_path / "sync", {"epochs": EPOCHS}, **how)[0]
    local = call_ranks(train_unet, tmp_path / "local", {"epochs": MORE, **LOCAL}, **how)[0]
    assert sync["dice"][-1] > 0.9
    assert local["dice"][-1] >= sync["dice"][-1] - 0.01
    assert local["mib"] <= sync["mib"] / 15
