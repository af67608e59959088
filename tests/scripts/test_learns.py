"""The full-size demand `--long learns`: what train_unet.py promises. Its smaller sister: test_training_scripts.py."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from scripts import train_unet
from tests.launch import REPOSITORY, run_ranks


@pytest.mark.long("learns")
@pytest.mark.timeout(900)
def test_two_ranks_reach_the_promised_dice(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    promised = re.search(r"validation Dice of ([\d.]+)\s+in (\d+) epochs", train_unet.__doc__ or "")
    assert promised is not None
    script = REPOSITORY / "scripts" / "train_unet.py"
    arguments = [script, "--run-dir", tmp_path / "run", "--epochs", promised[2]]
    result = run_ranks(arguments, 2, timeout_s=800)
    assert result.returncode == 0, result.output
    history = (tmp_path / "run" / "history.jsonl").read_text().splitlines()
    dice = json.loads(history[-1])["val_dice"]
    record_property("val_dice", dice)
    assert round(dice, 2) >= float(promised[1])
