"""A whole training run of a tiny GAN in float64, on pooled ranks or in the process of the test."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

import ddl.distributed as dist
from ddl.data.sources.arrays import Arrays
from ddl.training.data.training_data import TrainingData
from ddl.training.loop import train
from ddl.training.plan.plan import Plan
from tests.training.outcome import computing_in

CLASSES, COUNTS = 3, (43, 20)
"""43 samples in steps of 12: the last step has seven, which two and three ranks share unevenly."""


def samples(count: int, seed: int, labelled: bool) -> Arrays:
    """Return pictures of 8x8 whose left half is as bright as their class."""
    random = np.random.default_rng(seed)
    labels = np.arange(count) % CLASSES
    pictures = random.uniform(0, 0.3, (count, 8, 8, 1))
    pictures[:, :, :4] += 0.3 * labels[:, None, None, None]
    fields = {"image": pictures.astype(np.float32), **({"label": labels} if labelled else {})}
    return Arrays(fields, "arrays")


def train_gan(folder: Path, fields: dict[str, Any]) -> dict[str, Any]:
    """Train; return the history, and all weights of the generator that the run yields, which rank 0 alone has."""
    import keras

    with computing_in("float64"):
        labelled = bool(fields.get("conditional"))
        data = TrainingData(
            *(samples(count, seed, labelled) for seed, count in enumerate(COUNTS)),
            CLASSES if labelled else 1,
        )
        defaults: dict[str, Any] = {
            "gan_loss": "wgan_gp", "latent_size": 4, "score_samples": 60, "tensorboard": False,
            "generator_option": {"width": 4}, "discriminator_option": {"width": 4},
            "optimizer": "sgd", "learning_rate": 0.02, "learning_rate_scaling": "none",
            "warmup_epochs": 0.0, "global_batch_size": 12, "epochs": 3, "generator_average": 0.9,
        }  # fmt: skip
        history = train(Plan(run_dir=folder, data="arrays", **{**defaults, **fields}), data)
        weights = []
        if dist.is_root():
            model = keras.models.load_model(folder / "model.keras")
            weights = [np.ravel(weight) for weight in model.get_weights()]
    return {"history": history, "weights": np.concatenate([*weights, np.zeros(0)])}
