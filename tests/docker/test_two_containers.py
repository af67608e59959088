"""The full-size demand `--long image`. Its smaller sisters: test_image.py and test_entrypoint.py."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "docker/two_containers.sh"


@pytest.mark.long("image")
@pytest.mark.timeout(3600)
def test_two_containers_train_together(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    done = subprocess.run(
        [SCRIPT, tmp_path], env=os.environ, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    told = re.findall(
        r"(mpirun|train): model.keras is there, validation Dice ([\d.]+)", done.stdout
    )
    assert [name for name, _ in told] == ["mpirun", "train"]
    for name, dice in told:
        record_property(f"{name}_val_dice", float(dice))
