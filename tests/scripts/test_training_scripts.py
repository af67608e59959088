"""The scripts as a user starts them: their help, and N ranks against one, from flags to a model that is evaluated."""

from __future__ import annotations

import dataclasses
import json
import re
import resource
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from ddl.training.plan.fields import SECTIONS
from ddl.training.plan.gan.fields import IMPLIED, AdversarialPlan
from tests.launch import REPOSITORY, run_ranks
from tests.models.plain import weights_of
from tests.pages import RUN_FILES
from tests.ranks import call_plain_keras
from tests.ranks.scripts import run_script

SCRIPTS = REPOSITORY / "scripts"
SMALL = [
    *("--data-option", "count=18", "--validation-part", "0.28", "--image-size", "32"),
    *("--model-option", "width=4", "depth=2", "--epochs", "2", "--learning-rate-scaling", "none"),
    *("--augment", "flip=true", "noise=0.05", "--metric", "dice", "iou"),
]


def run(script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(SCRIPTS / script), *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


GAN_SECTIONS = (AdversarialPlan, *SECTIONS)


@pytest.mark.parametrize(
    ("script", "sections"),
    [("train_unet.py", SECTIONS), ("train_cnn.py", SECTIONS), ("train_gan.py", GAN_SECTIONS)],
)
def test_help_answers_in_a_second_and_documents_every_flag(
    script: str, sections: tuple[type, ...]
) -> None:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    shown = run(script, "--help").stdout
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    # Of the processor's time: a busy machine makes it wait.
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 1
    without = IMPLIED if script == "train_gan.py" else ()
    names = [field.name for section in sections for field in dataclasses.fields(section)]
    for name in [name for name in names if name not in without]:
        flag = "--" + name.replace("_", "-")
        assert re.search(rf"^  {flag} \S.*\s+\w+", shown, re.MULTILINE), f"{flag} has no help"
    assert "how the learning rate grows with the number of ranks" in " ".join(shown.split())


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


@dataclass(frozen=True)
class Trained:
    """A run of the training script.

    Attributes:
        folder: its run directory.
        history: a line an epoch.
        weights: of the final model, as plain Keras loads it.
    """

    folder: Path
    history: list[dict[str, float]]
    weights: list[np.ndarray]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Trained, Trained]:
    """Train the same on one rank and on two, side by side, at the same global batch."""
    folder = tmp_path_factory.mktemp("runs")

    def train(ranks: int, launcher: str, batch: int) -> Path:
        run_dir = folder / str(ranks)
        flags = ["--run-dir", run_dir, "--per-rank-batch-size", str(batch), *SMALL]
        flags += ["--layer-table"] if ranks > 1 else []
        result = run_ranks([SCRIPTS / "train_unet.py", *flags], ranks, launcher)
        assert result.returncode == 0, result.output
        return run_dir

    def look_at(run_dir: Path) -> Trained:
        lines = (run_dir / "history.jsonl").read_text().splitlines()
        weights = call_plain_keras(weights_of, run_dir / "model.keras")
        return Trained(run_dir, [json.loads(line) for line in lines], weights)

    with ThreadPoolExecutor() as both:
        one = both.submit(train, 1, "none", 6)
        two = both.submit(train, 2, "horovodrun-gloo", 3)
        folders = one.result(), two.result()
    return look_at(folders[0]), look_at(folders[1])


def test_two_ranks_report_what_one_reports(trained: tuple[Trained, Trained]) -> None:
    for one, two in zip(trained[0].history, trained[1].history, strict=True):
        for name in ("loss", "val_loss", "dice", "val_dice", "iou"):
            # Rounding that Adam amplifies; in float64 the same runs agree to 1e-15.
            assert np.isclose(one[name], two[name], rtol=5e-3), (name, one, two)


def test_two_ranks_learn_the_weights_that_one_learns(trained: tuple[Trained, Trained]) -> None:
    for one, two in zip(trained[0].weights, trained[1].weights, strict=True):
        assert np.abs(one - two).max() <= 1e-2 * max(np.abs(one).max(), 1)


def test_a_run_leaves_its_files(trained: tuple[Trained, Trained]) -> None:
    for run_dir in (one.folder for one in trained):
        left = {path.name for path in run_dir.iterdir()} - {"evaluation.json"}
        assert sorted(left) == RUN_FILES
        kept = sorted(path.name for path in (run_dir / "checkpoints").iterdir())
        assert kept == ["epoch-0001.h5", "epoch-0002.h5"]


def test_the_layers_of_the_model_are_in_a_file_and_on_request_in_the_log(
    trained: tuple[Trained, Trained],
) -> None:
    one, two = ((run.folder / "log.txt").read_text("utf-8") for run in trained)
    layers = (trained[0].folder / "model.txt").read_text("utf-8").splitlines()
    assert layers[-1].startswith("unet: ")
    assert layers[3].split()[:3] == ["down_0_conv_1", "Conv2D", "32x32x4"]
    assert layers[3] not in one
    assert two.count(layers[3]) == 1  # of rank 0


def test_an_evaluation_finds_what_the_training_said_of_its_last_epoch(
    trained: tuple[Trained, Trained],
) -> None:
    """On two ranks, over every sample once."""
    folder, last = trained[1].folder, trained[1].history[-1]
    output = folder / "evaluation.json"
    flags = ["--output", output, "--per-rank-batch-size", "2"]
    flags += ["--metric", "dice", "confusion_matrix"]
    result = run_script("scripts/evaluate", [folder, *flags])
    assert result.returncode == 0, result.output
    found = json.loads(output.read_text())
    assert found["samples"] == 5
    assert np.sum(found["confusion_matrix"]) == 5 * 32 * 32
    for name in ("loss", "dice"):
        assert np.isclose(found[name], last[f"val_{name}"], rtol=1e-5), name
