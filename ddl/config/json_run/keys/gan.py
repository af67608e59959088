"""The keys of a GAN: `generator` and `discriminator` in place of `layers`, and `gan`."""

from __future__ import annotations

from ddl.config.json_run.keys.key import Key, Section
from ddl.ranges import Range

PARTS = ("generator", "discriminator")
GAN_FIELDS = {
    "latent_dim": "latent_size",
    "discriminator_steps": "critic_steps",
    "conditional": "conditional",
    "ema": "generator_average",
    "score_encoder": "score_encoder",
    "score_samples": "score_samples",
}
"""Key of `gan` -> field of a plan."""
GAN_LOSSES = ("BCE", "Wasserstein")


def _network(path: str, what: str, flag: str) -> Section:
    return Section(
        path,
        what,
        (
            Key(
                "network",
                "text",
                "a built-in network by its name, or a network file (a path that ends in .json)",
                f"--{flag}",
                needed=True,
            ),
            Key(
                "options",
                "options",
                "options of a built-in network, such as its width",
                f"--{flag}-option NAME=VALUE",
            ),
        ),
    )


GENERATOR = _network(
    "generator", "the network that makes pictures of latent vectors, for a GAN", "generator"
)
DISCRIMINATOR = _network(
    "discriminator", "the network that tells real pictures from made ones", "discriminator"
)

GAN = Section(
    "gan",
    "how generator and discriminator are trained against each other",
    (
        Key(
            "latent_dim",
            "int",
            "length of a latent vector",
            "--latent-size",
            default=64,
            range=Range(1, 4096),
            also=("latent_size", "z_dim"),
        ),
        Key(
            "discriminator_steps",
            "int",
            "updates of the discriminator for each of the generator",
            "--critic-steps",
            default=1,
            range=Range(1, 100),
            also=("critic_steps", "n_critic", "discriminator_extra_steps"),
        ),
        Key(
            "conditional",
            "bool",
            "both networks know the class of a picture; `target_type` is labels",
            "--conditional",
            default=False,
        ),
        Key(
            "ema",
            "float",
            "decay of the moving average of the generator's weights, which is what the run yields; 0 for none",
            "--generator-average",
            default=0.0,
            range=Range(0, 1, below=True),
            also=("ema_decay", "ema_momentum"),
        ),
        Key(
            "score_encoder",
            "path",
            "network whose features KID and FID compare: a Keras file or a trained run; by default random weights",
            "--score-encoder",
        ),
        Key(
            "score_samples",
            "int",
            "samples that each validation scores",
            "--score-samples",
            default=1000,
            range=Range(2, 1_000_000),
        ),
    ),
)
