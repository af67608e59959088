"""A GAN on real digits: after five minutes on two cores its samples can be read, and its KID is far below its start's.

The pictures are those of scikit-learn, 8x8, as in `tests/training/test_digits.py`.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.ranks.scripts import run_script
from tests.training.test_digits import read_digits

HELD_OUT, EPOCHS, SAMPLES = 359, 200, 400
MOST_OF_START = 1 / 3
READ = 0.8
"""Of the samples of each digit, the part that the nearest real pictures take for it. Of real pictures it is 0.98."""
NEIGHBOURS = 3


def write_parts(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """Write digits to train on and held-out ones; return pictures and digits of the former."""
    pictures, digits = read_digits(folder / "package")
    order = np.random.default_rng(0).permutation(len(pictures))
    held_out, training = order[:HELD_OUT], order[HELD_OUT:]
    for name, part in (("digits", training), ("held-out", held_out)):
        np.savez(folder / f"{name}.npz", images=pictures[part], labels=digits[part])
    return pictures[training], digits[training]


def train(
    folder: Path, name: str, *flags: str, ranks: int, every: str = "10"
) -> list[dict[str, float]]:
    """Train on so many ranks, and return the history."""
    run_dir = folder / name
    done = run_script(
        "scripts/train_gan",
        (
            *("--run-dir", run_dir, "--data", folder / "digits.npz", "--conditional"),
            *("--validation-data", folder / "held-out.npz", "--critic-steps", "2"),
            *("--generator-average", "0.995", "--per-rank-batch-size", str(64 // ranks)),
            *("--validate-every-epochs", every, "--score-samples", "359", "--tensorboard", "false"),
            *flags,
        ),
        ranks=ranks,
        timeout_s=1500,
    )
    assert done.returncode == 0, done.output
    lines = (run_dir / "history.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


def read_by_neighbours(made: np.ndarray, pictures: np.ndarray, digits: np.ndarray) -> np.ndarray:
    """Return the digit that most of the nearest real pictures show, for each picture (n, pixels)."""
    distances = ((made[:, None] - pictures[None]) ** 2).sum(axis=-1)
    nearest = digits[np.argsort(distances, axis=1)[:, :NEIGHBOURS]]
    return np.array([np.bincount(row, minlength=10).argmax() for row in nearest])


@pytest.mark.long("gan")
@pytest.mark.timeout(2400)
def test_samples_can_be_read_and_kid_falls_to_a_third(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    pictures, digits = write_parts(tmp_path)
    # One step of nearly no length: the scores of a generator that has learnt nothing.
    still = ("--epochs", "1", "--steps-per-epoch", "1", "--learning-rate", "1e-12")
    (start,) = train(tmp_path, "start", *still, ranks=1, every="1")
    epochs = train(tmp_path, "run", "--epochs", str(EPOCHS), ranks=2)
    seconds, kid = sum(epoch["seconds"] for epoch in epochs), epochs[-1]["val_kid"]
    made = tmp_path / "made"
    run_script("scripts/predict", (tmp_path / "run", made, "--samples", str(SAMPLES)), ranks=1)
    samples = np.stack([np.asarray(Image.open(path)) for path in sorted(made.glob("*.png"))])
    found = read_by_neighbours(
        samples.reshape(SAMPLES, -1) / 255, pictures.reshape(len(pictures), -1), digits
    )
    part = float(np.mean(found == np.arange(SAMPLES) % 10))
    for name, value in (
        ("seconds", seconds),
        ("kid_at_start", start["val_kid"]),
        ("kid", kid),
        ("read", part),
        ("samples_seen", EPOCHS * len(pictures)),
    ):
        record_property(name, value)
    assert kid <= MOST_OF_START * start["val_kid"]
    assert part >= READ
