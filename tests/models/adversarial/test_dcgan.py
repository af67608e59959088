"""DCGAN's networks for pictures of any sides, and their list."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from ddl.models.adversarial.listing import PARAMETERS, PICTURE
from ddl.models.adversarial.table import DISCRIMINATORS, GENERATORS
from tests.scripts.in_process import call


@pytest.mark.parametrize("shape", [(8, 8, 1), (25, 25, 1), (32, 48, 3), (6, 10, 4)])
@pytest.mark.parametrize("classes", [0, 3])
def test_pictures_and_scores_have_their_shapes(shape: tuple[int, ...], classes: int) -> None:
    generator = GENERATORS.build("dcgan", shape, classes=classes, latent_size=5, width=4)
    discriminator = DISCRIMINATORS.build("dcgan", shape, classes=classes, width=4)
    latent, label = np.random.default_rng(0).normal(size=(2, 5)), np.array([0, 2])
    pictures = generator([latent, label] if classes else latent)
    assert tuple(pictures.shape) == (2, *shape)
    assert 0 <= float(keras.ops.min(pictures)) <= float(keras.ops.max(pictures)) <= 1
    scores = discriminator([np.asarray(pictures), label] if classes else pictures)
    assert tuple(scores.shape) == (2, 1)


def test_no_score_depends_on_the_other_pictures_of_its_batch() -> None:
    network = DISCRIMINATORS.build("dcgan", (8, 8, 1), width=4, norm="group")
    pictures = np.random.default_rng(0).random((6, 8, 8, 1))
    together = network(pictures, training=True)
    alone = keras.ops.concatenate([network(pictures[n : n + 1], training=True) for n in range(6)])
    assert np.asarray(together) == pytest.approx(np.asarray(alone), abs=1e-5)


@pytest.mark.parametrize(
    ("role", "table"), [("generator", GENERATORS), ("discriminator", DISCRIMINATORS)]
)
def test_the_list_has_the_true_number_of_parameters(role: str, table: object) -> None:
    assert table.build("dcgan", PICTURE).count_params() == PARAMETERS[role, "dcgan"]


def test_list_models_lists_them() -> None:
    outcome = call("list_models", "--gans")
    assert outcome.status == 0
    lines = [line.split()[:2] for line in outcome.printed.splitlines()]
    assert ["generator", "dcgan"] in lines
    assert ["discriminator", "network"] in lines
    assert "990,147" in outcome.printed


def test_list_models_refuses_gans_with_other_flags() -> None:
    outcome = call("list_models", "--gans", "--csv")
    assert (outcome.status, outcome.told.count("\n")) == (2, 1)
    assert "Expected: --gans" in outcome.told or "gans alone" in outcome.told
