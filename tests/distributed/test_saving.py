"""A model trained on ranks is a plain Keras model: it loads and trains on where `ddl` and Horovod do not exist."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.distributed import saver
from tests.ranks import call_plain_keras, call_ranks


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("saving")
    call_ranks(saver.train_and_save, made)
    call_plain_keras(saver.train_on_in_plain_keras, made)
    return made


@pytest.mark.parametrize("name", saver.FORMATS)
def test_it_loads_as_plain_keras_without_ddl_and_horovod(folder: Path, name: str) -> None:
    assert (folder / f"{name}.loaded.npz").is_file()


@pytest.mark.parametrize("name", saver.FORMATS)
def test_weights_and_optimizer_state_are_what_was_saved(folder: Path, name: str) -> None:
    saved = list(_arrays(folder / "saved.npz"))
    loaded = list(_arrays(folder / f"{name}.loaded.npz"))
    assert len(loaded) == (7 if name == "model.h5" else len(saved))
    assert len(saved) > 20
    for got, expected in zip(loaded, saved, strict=False):
        np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize("name", ["model.keras", "model.weights.h5"])
def test_one_process_trains_on_as_the_ranks_do(folder: Path, name: str) -> None:
    ranks = list(_arrays(folder / "continued.npz"))
    alone = list(_arrays(folder / f"{name}.continued.npz"))
    for got, expected in zip(alone, ranks, strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-5 * np.abs(expected).max())


def _arrays(path: Path) -> Iterator[np.ndarray]:
    with np.load(path) as arrays:
        for number in range(len(arrays.files)):
            yield arrays[f"arr_{number}"]
