"""The script as a user starts it: its help, its refusals, and N ranks against one."""

from __future__ import annotations

import dataclasses
import json
import re
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from ddl.training.plan import UnetPlan
from tests.launch import REPOSITORY, run_ranks

SCRIPT = REPOSITORY / "scripts" / "train_unet.py"
SMALL = [
    *("--samples", "13", "--validation-samples", "5", "--image-size", "32", "--width", "4"),
    *("--depth", "2", "--epochs", "2", "--learning-rate-scaling", "none"),
]


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(SCRIPT), *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_help_answers_in_a_second_and_documents_every_flag() -> None:
    seconds = []
    for _ in range(3):
        start = time.perf_counter()
        shown = run("--help").stdout
        seconds.append(time.perf_counter() - start)
    assert min(seconds) < 1
    for field in dataclasses.fields(UnetPlan):
        flag = "--" + field.name.replace("_", "-")
        described = re.search(rf"  {flag} [A-Z_]+\s+(\S.*)", shown)
        assert described, f"{flag} has no help"
    assert "what N ranks multiply it by (default: sqrt)" in " ".join(shown.split())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--epochs", "0"], "train_unet: Received: epochs=0. Expected: 1 or more."),
        (["--epochs", "many"], "invalid int value: 'many'"),
        (["--epoch", "3"], "unrecognized arguments"),
        (["--image-size", "50"], "2**depth = 8 divides, such as 56."),
        (["--data", "/nowhere"], "/nowhere"),
        (["--validation-part", "1"], "validation_part=1.0. Expected: above 0, below 1."),
    ],
)
def test_a_bad_flag_ends_with_one_line_and_status_2(
    tmp_path: Path, arguments: list[str], message: str
) -> None:
    result = run("--run-dir", str(tmp_path / "run"), *arguments)
    assert result.returncode == 2
    assert message in result.stderr.splitlines()[-1]
    assert not (tmp_path / "run").exists()


def test_two_ranks_learn_what_one_learns_and_say_what_it_says(tmp_path: Path) -> None:
    histories, weights = [], []
    for ranks, launcher, batch in ((1, "none", "6"), (2, "horovodrun-gloo", "3")):
        folder = tmp_path / str(ranks)
        arguments = [SCRIPT, "--run-dir", folder, "--per-rank-batch-size", batch, *SMALL]
        result = run_ranks(arguments, ranks, launcher)
        assert result.returncode == 0, result.output
        lines = (folder / "history.jsonl").read_text().splitlines()
        histories.append([json.loads(line) for line in lines])
        files = sorted(path.name for path in folder.iterdir())
        assert files == ["history.jsonl", "model.keras", "plan.json"]
        weights.append(load_weights(folder / "model.keras"))
    for one, two in zip(*histories, strict=True):
        for name in ("loss", "val_loss", "dice", "val_dice"):
            # Rounding that Adam amplifies; in float64 the same runs agree to 1e-15.
            assert np.isclose(one[name], two[name], rtol=5e-3), (name, one, two)
    for one, two in zip(*weights, strict=True):
        assert np.abs(one - two).max() <= 1e-2 * max(np.abs(one).max(), 1)


def load_weights(path: Path) -> list[np.ndarray]:
    """Load the model where neither ddl nor Horovod can be imported."""
    program = (
        "import sys; sys.modules['ddl'] = sys.modules['horovod'] = None\n"
        "import keras, numpy\n"
        f"model = keras.models.load_model({str(path)!r})\n"
        f"numpy.savez({str(path.with_suffix('.npz'))!r}, *model.get_weights())\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
    with np.load(path.with_suffix(".npz")) as stored:
        return [stored[name] for name in stored.files]
