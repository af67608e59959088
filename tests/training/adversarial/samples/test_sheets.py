"""Which latent vectors and classes the pictures of a generator show."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ddl.training.adversarial.samples.sheets import (
    COLUMNS,
    INTERPOLATION,
    SAMPLES,
    WAYS,
    draw_sheets,
)

NAMES = ("cat", "dog", "a very long name of a class")


class Generator:
    """A generator of grey pictures, which notes what it is asked for."""

    def __init__(self) -> None:
        self.latents, self.labels = [], []

    def __call__(self, latents: np.ndarray, labels: np.ndarray | None) -> np.ndarray:
        self.latents.append(latents)
        self.labels.append(labels)
        return np.broadcast_to(latents[:, :1, None, None] % 1, (len(latents), 8, 8, 1))


def draw(numbers: np.ndarray) -> np.ndarray:
    return np.stack([np.random.default_rng(int(n)).normal(size=5) for n in numbers])


@pytest.mark.parametrize("names", [(), NAMES])
def test_each_time_the_pictures_are_the_same(tmp_path: Path, names: tuple[str, ...]) -> None:
    files = []
    for folder in (tmp_path / "a", tmp_path / "b"):
        folder.mkdir()
        draw_sheets(Generator(), draw, folder, names)
        files.append([(folder / name).read_bytes() for name in (SAMPLES, INTERPOLATION)])
    assert files[0] == files[1]


def test_a_class_has_a_row_of_the_same_latent_vectors(tmp_path: Path) -> None:
    generator = Generator()
    draw_sheets(generator, draw, tmp_path, NAMES)
    rows = generator.latents[0].reshape(len(NAMES), COLUMNS, -1)
    assert (rows == rows[0]).all()
    assert (generator.labels[0].reshape(len(NAMES), COLUMNS) == [[0], [1], [2]]).all()


def test_a_way_is_of_one_class_from_one_fixed_vector_to_another(tmp_path: Path) -> None:
    generator = Generator()
    draw_sheets(generator, draw, tmp_path, NAMES)
    ways = generator.latents[1].reshape(WAYS, COLUMNS, -1)
    assert ways[:, 0] == pytest.approx(draw(np.arange(0, 2 * WAYS, 2)), abs=1e-5)
    assert ways[:, -1] == pytest.approx(draw(np.arange(1, 2 * WAYS, 2)), abs=1e-5)
    assert np.ptp(generator.labels[1].reshape(WAYS, COLUMNS), axis=1).max() == 0


def test_both_are_small_files(tmp_path: Path) -> None:
    draw_sheets(Generator(), draw, tmp_path)
    for name in (SAMPLES, INTERPOLATION):
        assert (tmp_path / name).stat().st_size < 300_000
        with Image.open(tmp_path / name) as picture:
            assert picture.width < 600
