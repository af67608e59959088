"""The fields of a plan that trains a generator against a discriminator, and what they refuse."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ddl.ranges import Range

DEFAULTS: Mapping[str, Any] = {
    "gan_loss": "wgan_gp",
    "optimizer": "adam",
    "learning_rate": 3e-4,
    "learning_rate_scaling": "none",
    "warmup_epochs": 0.0,
    "epochs": 20,
    "per_rank_batch_size": 32,
}
"""Those of scripts/train_gan.py."""
IMPLIED = ("model", "model_option", "loss", "loss_option", "metric", "metric_option", "targets")
"""Fields that a GAN has no choice of."""
GAN_LOSSES = ("none", "dcgan", "wgan", "wgan_gp")
SCORES = ("kid", "fid", "kid_error", "diversity", "near_duplicates")
"""Of a validation; with "val_" before them, they can be monitored."""
LOSSES = ("discriminator_loss", "generator_loss")


@dataclass(frozen=True, kw_only=True)
class AdversarialPlan:
    """GAN.

    Attributes:
        gan_loss: loss of generator and discriminator: "dcgan" (binary cross-entropy), "wgan" (Wasserstein, with clipped
            weights) or "wgan_gp" (with a gradient penalty).
        generator: network that makes pictures of latent vectors.
        generator_option: options of the generator, such as width=32.
        discriminator: network that tells real pictures from made ones.
        discriminator_option: options of the discriminator.
        latent_size: length of a latent vector.
        critic_steps: updates of the discriminator for each of the generator.
        clip: limit of the discriminator's weights, for wgan.
        gradient_penalty: weight of the gradient penalty, for wgan_gp.
        conditional: both networks know the class of a picture.
        generator_average: decay of the moving average of the generator's weights, which is what the run yields; 0 for
            none.
        score_encoder: network whose features KID and FID compare: a Keras file, or the run directory of a classifier;
            without it, one of random weights.
        score_samples: samples that each validation scores.
    """

    gan_loss: str = "none"
    generator: str = "dcgan"
    generator_option: Mapping[str, Any] = field(default_factory=dict)
    discriminator: str = "dcgan"
    discriminator_option: Mapping[str, Any] = field(default_factory=dict)
    latent_size: int = 64
    critic_steps: int = 1
    clip: float = 0.01
    gradient_penalty: float = 10.0
    conditional: bool = False
    generator_average: float = 0.0
    score_encoder: Path | None = None
    score_samples: int = 1000

    @property
    def is_adversarial(self) -> bool:
        """Whether the plan trains a GAN."""
        return self.gan_loss != "none"


RANGES_OF_GANS = {
    "latent_size": Range(1, 4096),
    "critic_steps": Range(1, 100),
    "clip": Range(0, above=True),
    "gradient_penalty": Range(0),
    "generator_average": Range(0, 1, below=True),
    "score_samples": Range(2, 1_000_000),
}
