"""The same trainings twice: by a script of ours on real ranks, and by a loop of plain Keras in this process.

Of this package the loop has the model's builder, the split and the order of samples. Optimizer, batches and batch
normalization (that of one process) are Keras's, loss and scores are written here.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import ops
from skimage.data import lfw_subset

from ddl.data.sharding import epoch_order
from ddl.data.splits import split_samples
from ddl.models.zoo import build_model
from tests.data.make import microscope_pictures
from tests.ranks.scripts import run_script

VALIDATION_PART = 0.2
Arrays = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class Task:
    """Something to learn.

    Attributes:
        script: of ours.
        flags: it gets, besides those that all tasks have.
        read: seed -> pictures and targets.
        build: a new model.
        loss: of each sample.
        score: probabilities, targets -> a number.
        metric: what the script calls that.
        batch_size: samples per step, over all ranks.
        optimizer: steps per epoch -> an optimizer of Keras that the flags ask for, too.
    """

    script: str
    flags: tuple[str, ...]
    read: Callable[[int], Arrays]
    build: Callable[[], keras.Model]
    loss: Callable[[Any, Any], Any]
    score: Callable[[np.ndarray, np.ndarray], float]
    metric: str
    batch_size: int = 8
    optimizer: Callable[[int], keras.optimizers.Optimizer] = lambda steps: keras.optimizers.Adam(
        1e-3
    )


@dataclass(frozen=True)
class Outcome:
    """What came out.

    Attributes:
        first: every weight after the first epoch.
        scores: of the validation samples, an epoch each.
    """

    first: list[np.ndarray]
    scores: list[float]


def train_plainly(task: Task, seed: int, epochs: int) -> Outcome:
    """Train with `model.fit` and nothing else."""
    pictures, targets = task.read(seed)
    splits = split_samples(len(pictures), VALIDATION_PART, 0, seed)
    training = [part[splits == 0] for part in (pictures, targets)]
    validation = [part[splits == 1] for part in (pictures, targets)]
    keras.utils.set_random_seed(seed)
    model = task.build()
    steps = -(-len(training[0]) // task.batch_size)
    model.compile(task.optimizer(steps), task.loss)
    weights, scores = [], []
    for epoch in range(epochs):
        order = epoch_order(len(training[0]), epoch, seed)
        model.fit(*(part[order] for part in training), task.batch_size, shuffle=False, verbose=0)
        weights.append(model.get_weights())
        scores.append(task.score(np.asarray(model(validation[0], training=False)), validation[1]))
    return Outcome(weights[0], scores)


def train_with_ranks(
    task: Task, seed: int, epochs: int, ranks: int, run_dir: Path, floatx: str = "float32"
) -> Outcome:
    """Train as a user does, but on a pooled job, with the same batch shared out over the ranks."""
    flags = {
        "run-dir": run_dir,
        "epochs": epochs,
        "seed": seed,
        "validation-part": VALIDATION_PART,
        "per-rank-batch-size": task.batch_size // ranks,
        "learning-rate-scaling": "none",
        "keep-last": epochs,
        "tensorboard": "false",
    }
    arguments = [str(word) for name, value in flags.items() for word in (f"--{name}", value)]
    launcher = "none" if ranks == 1 else "mpirun"
    how = {"ranks": ranks, "launcher": launcher, "floatx": floatx}
    result = run_script(task.script, [*arguments, *task.flags], **how)
    assert result.returncode == 0, result.output
    first = keras.models.load_model(run_dir / "checkpoints" / "epoch-0001.h5", compile=False)
    lines = (run_dir / "history.jsonl").read_text(encoding="utf-8").splitlines()
    scores = [json.loads(line)[f"val_{task.metric}"] for line in lines]
    return Outcome(first.get_weights(), scores)


def _read_faces(seed: int) -> Arrays:
    return lfw_subset().astype(np.float32)[..., None], np.repeat([1, 0], 100)


def _accuracy(found: np.ndarray, truth: np.ndarray) -> float:
    return float((found.argmax(-1) == truth).mean())


def _crossentropy(truth: Any, found: Any) -> Any:
    """Return -log of the probability of each true class: (N,), (N, C) -> (N,)."""
    chosen = ops.take_along_axis(found, ops.cast(ops.reshape(truth, (-1, 1)), "int32"), axis=1)
    return -_log(chosen[:, 0])


def _dice_and_crossentropy(truth: Any, found: Any) -> Any:
    """Return 1 - soft Dice + cross-entropy of each picture: (N, H, W, 1) -> (N,)."""
    truth = ops.cast(truth, keras.config.floatx())
    places = (1, 2, 3)
    found = ops.cast(found, truth.dtype)
    both, either = ops.sum(truth * found, places), ops.sum(truth + found, places)
    entropy = -truth * _log(found) - (1 - truth) * _log(1 - found)
    return 1 - (2 * both + 1) / (either + 1) + ops.mean(entropy, places)


def _log(probability: Any) -> Any:
    """Return a finite logarithm, in the precision that Keras computes in."""
    return ops.log(ops.clip(ops.cast(probability, keras.config.floatx()), 1e-7, 1 - 1e-7))


def _dice(found: np.ndarray, truth: np.ndarray) -> float:
    decided, truth = found > 0.5, truth > 0.5
    both, either = (np.sum(part, (1, 2, 3)) for part in (decided & truth, 1.0 * decided + truth))
    return float(np.mean(2 * both / either))


FACES = Task(
    script="scripts/train_resnet",
    flags=("--data", "faces", "--model", "resnet20"),
    read=_read_faces,
    build=lambda: build_model("resnet20", (25, 25, 1), 2, norm="batch"),
    loss=_crossentropy,
    score=_accuracy,
    metric="top_1",
)
CELLS = Task(
    script="scripts/train_unet",
    flags=(
        *("--data-option", "count=46", "--image-size", "32"),
        *("--model-option", "width=4", "depth=2"),
    ),
    read=lambda seed: microscope_pictures(46, 32, seed),
    build=lambda: build_model("unet", (32, 32, 3), 1, norm="batch", width=4, depth=2),
    loss=_dice_and_crossentropy,
    score=_dice,
    metric="dice",
)
