"""The published recipe of resnet20 on real digits: two ranks reach what plain Keras reaches with the same seed.

The pictures are those of scikit-learn: 1,797 of 8x8 pixels. Its sister with faces is in `test_against_keras.py`.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

from ddl.models.zoo import build_model
from tests.training.plain_keras import FACES, Task, train_plainly, train_with_ranks

PACKAGE = "scikit-learn==1.9.1"
EPOCHS, SEEDS = 30, (0, 1, 2)
LEAST, NOISE = 0.95, 0.02
"""Of accuracy. One of the 359 pictures that are held out is 0.003; five of them are noise between seeds."""


def read_digits(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """Download the package, and return its pictures (N, 8, 8, 1) from 0 to 1 and their digits."""
    pip = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", folder, PACKAGE]
    subprocess.run(pip, check=True, timeout=250)
    table = np.loadtxt(folder / "sklearn" / "datasets" / "data" / "digits.csv.gz", delimiter=",")
    pictures = table[:, :-1].reshape(-1, 8, 8, 1) / 16
    return pictures.astype(np.float32), table[:, -1].astype(np.int64)


def published_optimizer(steps: int) -> keras.optimizers.Optimizer:
    """Return SGD whose rate is a tenth after half of the epochs, and a hundredth after three quarters."""
    bounds = [EPOCHS // 2 * steps - 1, EPOCHS * 3 // 4 * steps - 1]
    rate = keras.optimizers.schedules.PiecewiseConstantDecay(bounds, [0.1, 0.01, 0.001])
    return keras.optimizers.SGD(rate, momentum=0.9, weight_decay=1e-4)


@pytest.mark.long("digits")
@pytest.mark.timeout(1800)
def test_two_ranks_reach_the_accuracy_that_plain_keras_reaches(tmp_path: Path) -> None:
    pictures, digits = read_digits(tmp_path / "package")
    data = tmp_path / "digits.npz"
    np.savez(data, images=pictures, labels=digits)
    task = Task(
        script="scripts/train_cnn",
        flags=(
            *("--data", str(data), "--model", "resnet20", "--optimizer", "sgd"),
            *("--optimizer-option", "momentum=0.9", "weight_decay=0.0001"),
            *("--learning-rate", "0.1", "--warmup-epochs", "0", "--schedule", "step"),
            *("--schedule-option", f"milestones={EPOCHS // 2},{EPOCHS * 3 // 4}", "factor=0.1"),
        ),
        read=lambda seed: (pictures, digits),
        build=lambda: build_model("resnet20", (8, 8, 1), 10, norm="batch"),
        loss=FACES.loss,
        score=FACES.score,
        metric="top_1",
        batch_size=128,
        optimizer=published_optimizer,
    )
    for seed in SEEDS:
        plain = train_plainly(task, seed, EPOCHS).scores[-1]
        ours = train_with_ranks(task, seed, EPOCHS, 2, tmp_path / f"run-{seed}").scores[-1]
        print(f"seed {seed}: plain Keras {plain:.4f}, two ranks {ours:.4f}")
        assert min(plain, ours) >= LEAST
        assert abs(plain - ours) <= NOISE
