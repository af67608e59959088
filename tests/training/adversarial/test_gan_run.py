"""A whole GAN: N ranks find what one finds, a resumed run what an undisturbed one does; what the run leaves behind."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from tests.ranks import call_ranks
from tests.training.adversarial.small_gan import train_gan

WORDS = ("val_features",)
NOT_COMPARED = ("seconds", "samples_per_s", *WORDS)


def numbers_of(history: list[dict[str, Any]]) -> list[dict[str, float]]:
    return [{n: v for n, v in epoch.items() if n not in NOT_COMPARED} for epoch in history]


def assert_equal(one: dict[str, Any], other: dict[str, Any], tolerance: float) -> None:
    assert other["weights"] == pytest.approx(one["weights"], rel=tolerance, abs=tolerance)
    for first, second in zip(numbers_of(one["history"]), numbers_of(other["history"]), strict=True):
        assert second == pytest.approx(first, rel=1e-4, abs=1e-6)


FIELDS = {"conditional": True, "critic_steps": 2}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """Return a run directory, and what it left."""
    folder = tmp_path_factory.mktemp("gans") / "run"
    (found,) = call_ranks(train_gan, folder, FIELDS, ranks=1)
    return folder, found


def test_two_ranks_find_what_one_finds(tmp_path: Path, run: tuple[Path, dict[str, Any]]) -> None:
    assert_equal(run[1], call_ranks(train_gan, tmp_path / "two", FIELDS, ranks=2)[0], 1e-10)


@pytest.mark.proof
@pytest.mark.parametrize(
    ("loss", "fields", "ranks"),
    [
        ("dcgan", {}, 3),
        ("dcgan", {"conditional": True, "critic_steps": 3}, 2),
        ("wgan", {"critic_steps": 2, "clip": 0.1}, 3),
        ("wgan_gp", {}, 3),
    ],
)
def test_ranks_find_what_one_finds_with_each_loss(
    tmp_path: Path, loss: str, fields: dict[str, Any], ranks: int
) -> None:
    given = {"gan_loss": loss, **fields}
    (one,) = call_ranks(train_gan, tmp_path / "one", given, ranks=1)
    several = call_ranks(train_gan, tmp_path / "several", given, ranks=ranks)
    assert_equal(one, several[0], 1e-10)


def test_a_resumed_run_ends_as_an_undisturbed_one_bit_for_bit(
    tmp_path: Path, run: tuple[Path, dict[str, Any]]
) -> None:
    shutil.copytree(run[0], tmp_path / "run")
    (found,) = call_ranks(train_gan, tmp_path / "run", {**FIELDS, "resume": "2"}, ranks=1)
    assert (found["weights"] == run[1]["weights"]).all()
    assert numbers_of(found["history"]) == numbers_of(run[1]["history"])


def test_the_history_has_losses_norms_scores_and_what_they_rest_on(
    run: tuple[Path, dict[str, Any]],
) -> None:
    (*_, last) = map(json.loads, (run[0] / "history.jsonl").read_text().splitlines())
    of_networks = {f"{part}_{what}" for part in ("generator", "discriminator")
                   for what in ("loss", "gradient_norm")}  # fmt: skip
    scores = {"val_kid", "val_kid_error", "val_fid", "val_diversity", "val_near_duplicates"}
    assert of_networks | scores <= {*last}
    assert last["val_features"] == "random features"


def test_the_run_yields_the_averaged_generator_which_plain_keras_loads(
    run: tuple[Path, dict[str, Any]],
) -> None:
    model = keras.models.load_model(run[0] / "model.keras")
    assert model.name == "generator_average"
    pictures = model([np.zeros((2, 4)), np.array([0, 2])])
    assert tuple(pictures.shape) == (2, 8, 8, 1)


def test_pictures_of_samples_and_ways_stand_in_the_run_directory(
    run: tuple[Path, dict[str, Any]],
) -> None:
    for name in ("samples.png", "interpolation.png", "curves.png"):
        assert (run[0] / name).stat().st_size > 500


def test_a_checkpoint_has_both_networks_and_the_slots_of_both_optimizers(
    run: tuple[Path, dict[str, Any]],
) -> None:
    import h5py

    names: list[str] = []
    with h5py.File(next((run[0] / "checkpoints").glob("*.h5"))) as file:
        file.visit(names.append)
    for part in ("generator", "discriminator", "generator_average"):
        assert any(part in name for name in names), part
