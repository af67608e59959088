"""The scripts as a user starts them: their help, and N ranks against one, from flags to a model that is evaluated."""

from __future__ import annotations

import dataclasses
import json
import re
import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from ddl.training.plan import Plan
from tests.launch import REPOSITORY, run_ranks

SCRIPTS = REPOSITORY / "scripts"
SMALL = [
    *("--data-option", "count=18", "--validation-part", "0.28", "--image-size", "32"),
    *("--model-option", "width=4", "depth=2", "--epochs", "2", "--learning-rate-scaling", "none"),
    *("--augment", "flip=true", "noise=0.05", "--metric", "dice", "iou"),
]
RUN_FILES = [
    *("checkpoints", "curves.png", "events", "facts.json", "history.csv", "history.jsonl"),
    *("log.txt", "model.keras", "plan.json", "preprocessing.json", "samples.png"),
]


def run(script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(SCRIPTS / script), *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("script", ["train_unet.py", "train_resnet.py"])
def test_help_answers_in_a_second_and_documents_every_flag(script: str) -> None:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    shown = run(script, "--help").stdout
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    # Of the processor's time: a busy machine makes it wait.
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 1
    for field in dataclasses.fields(Plan):
        flag = "--" + field.name.replace("_", "-")
        assert re.search(rf"^  {flag} \S.*\s+\w+", shown, re.MULTILINE), f"{flag} has no help"
    assert "what N ranks multiply it by" in " ".join(shown.split())


def test_help_loads_nothing_that_takes_long() -> None:
    code = (
        "import runpy, sys; sys.modules.update(dict.fromkeys(('scipy', 'skimage', 'tensorflow', 'matplotlib')))\n"
        f"sys.argv = ['train_unet.py', '--help']; runpy.run_path({str(SCRIPTS / 'train_unet.py')!r}, "
        "run_name='__main__')"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60
    )
    assert result.returncode == 0, result.stderr


def test_two_ranks_learn_what_one_learns_and_say_what_it_says(tmp_path: Path) -> None:
    histories, weights = [], []
    for ranks, launcher, batch in ((1, "none", "6"), (2, "horovodrun-gloo", "3")):
        folder = tmp_path / str(ranks)
        arguments = [SCRIPTS / "train_unet.py", "--run-dir", folder, "--per-rank-batch-size", batch]
        result = run_ranks([*arguments, *SMALL], ranks, launcher)
        assert result.returncode == 0, result.output
        lines = (folder / "history.jsonl").read_text().splitlines()
        histories.append([json.loads(line) for line in lines])
        assert sorted(path.name for path in folder.iterdir()) == RUN_FILES
        assert sorted(path.name for path in (folder / "checkpoints").iterdir()) == [
            "epoch-0001.h5",
            "epoch-0002.h5",
        ]
        weights.append(load_weights(folder / "model.keras"))
    for one, two in zip(*histories, strict=True):
        for name in ("loss", "val_loss", "dice", "val_dice", "iou"):
            # Rounding that Adam amplifies; in float64 the same runs agree to 1e-15.
            assert np.isclose(one[name], two[name], rtol=5e-3), (name, one, two)
    for one, two in zip(*weights, strict=True):
        assert np.abs(one - two).max() <= 1e-2 * max(np.abs(one).max(), 1)
    check_evaluation(tmp_path / "2", histories[1][-1])


def check_evaluation(folder: Path, last: dict[str, float]) -> None:
    """Evaluate on two ranks: what the training said of its last epoch, over every sample once."""
    output = folder / "evaluation.json"
    arguments = [SCRIPTS / "evaluate.py", folder, "--output", output, "--per-rank-batch-size", "2"]
    result = run_ranks([*arguments, "--metric", "dice", "confusion_matrix"], 2)
    assert result.returncode == 0, result.output
    found = json.loads(output.read_text())
    assert found["samples"] == 5
    assert np.sum(found["confusion_matrix"]) == 5 * 32 * 32
    for name in ("loss", "dice"):
        assert np.isclose(found[name], last[f"val_{name}"], rtol=1e-5), name


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
