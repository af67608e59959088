"""Configs of GANs with a mistake each, as those of `bad_configs`."""

from __future__ import annotations

from tests.config.json_run.bad_configs import Row
from tests.config.json_run.good_configs import CLASSES, GAN


def _row(old: str, new: str, line: str) -> Row:
    return Row(old, new, line, GAN)


KEYS = [
    _row(
        '"latent_dim": 16',
        '"latent_dims": 16',
        "x.json:7: gan.latent_dims: no such key. Did you mean latent_dim?",
    ),
    _row(
        '"latent_dim": 16',
        '"latent_dim": 0',
        "x.json:7: gan.latent_dim: Received: 0. Expected: a whole number, at least 1, at most 4096.",
    ),
    _row(
        '"n_critic": 2',
        '"n_critic": 1.5',
        "x.json:8: gan.discriminator_steps: Received: 1.5. Expected: a whole number, ...",
    ),
    _row('"ema": 0.99', '"ema": 1', "x.json:10: gan.ema: Received: 1. Expected: a number, ..."),
    _row(
        '"conditional": true',
        '"conditional": "yes"',
        'x.json:9: gan.conditional: Received: "yes". Expected: true or false.',
    ),
    _row(
        '{ "width": 8 } },\n        "disc',
        '8 },\n        "disc',
        "x.json:4:44: generator.options: Received: 8. Expected: an object with an option each.",
    ),
    _row(
        '"network": "dcgan", "options": { "width": 8 } },\n        "disc',
        '"network": "dcgan", "option": { "width": 8 } },\n        "disc',
        "x.json:4:44: generator.option: no such key. Did you mean options?",
    ),
    _row(
        '"gp_weight": 5',
        '"gradient_penalty": -1',
        "x.json:21:46: loss.gradient_penalty: Received: -1. Expected: a number, at least 0.",
    ),
]
"""Keys and values that are wrong by themselves."""

TOGETHER = [
    _row(
        '        "discriminator": { "network": "dcgan", "options": { "width": 8 } },\n',
        "",
        "x.json:2: discriminator: is missing, and needed for a GAN. Expected: such as ...",
    ),
    _row(
        '"num_epochs": 2,',
        '"layers": "net.json",',
        "x.json:3: layers: with generator or discriminator. Expected: these, or layers alone.",
    ),
    _row(
        '"network": "dcgan", "options": { "width": 8 } },\n        "disc',
        '"network": "nets/gone.json" },\n        "disc',
        "x.json:4:24: generator.network: nets/gone.json does not exist. Expected: a network file.",
    ),
    _row(
        '"network": "dcgan", "options": { "width": 8 } },\n        "disc',
        '"network": "net.json", "options": { "width": 8 } },\n        "disc',
        "x.json:4:47: generator.options: with a network file. Expected: options for built-in networks...",
    ),
    _row(
        '"function": "wasserstein", "gp_weight": 5',
        '"function": "Dice"',
        "x.json:21:19: loss.function: Dice for a GAN. Expected: BCE or Wasserstein.",
    ),
    _row(
        '"function": "wasserstein", "gp_weight": 5',
        '"function": "BCE", "source": "sigmoid"',
        "x.json:21:38: loss.source: has no meaning for a GAN, whose discriminator ends in a score.",
    ),
    _row(
        '"gp_weight": 5',
        '"gp_weight": 5, "clip": 0.01',
        "x.json:21:62: loss.clip: with gradient_penalty. Expected: one of them keeps the critic's slope.",
    ),
    _row(
        '"input_type": "images",\n            "target_type": "labels"',
        '"type": "images"',
        'x.json:9: gan.conditional: true, but targets are no labels. Expected: "input_type"...',
    ),
    _row(
        '"grayscale": true',
        '"target_path": "train/"',
        "x.json:19: data.target_path: has no meaning for a GAN, which has no targets.",
    ),
    _row(
        '"grayscale": true',
        '"test_output_path": "out/"',
        "x.json:19: data.test_output_path: has no meaning for a GAN, whose input is a latent vector.",
    ),
    _row(
        '            "input_path": "train/",\n',
        "",
        "x.json:13: data.input_path: is missing, and needed for a GAN. Expected: pictures; ...",
    ),
    _row(
        '"type": "adam", "learning_rate": 0.0002, "beta1": 0.5',
        '"type": "Hessian"',
        "x.json:22:24: optimizer.type: Hessian for a GAN, which has two losses. Expected: a type of first order, ...",
    ),
    Row(
        '"function": "nll",\n            "source": "softmax"',
        '"function": "Wasserstein",\n            "clip": 0.01',
        "x.json:26: loss.clip: has no meaning without generator and discriminator. Expected: a GAN.",
        CLASSES,
    ),
    _row(
        "}\n    }\n}\n",
        '},\n        "gan": {}\n    }\n}\n',
        'x.json:23:9: key "gan" twice, first in line 6. Expected: once.',
    ),
]
"""Keys that contradict each other, or of which one needs another."""
