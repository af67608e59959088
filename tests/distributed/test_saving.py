"""A model trained on ranks is a plain Keras model: it loads and trains on where `ddl` and Horovod do not exist."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.distributed.saver import FORMATS
from tests.launch import Result, run_ranks

SAVER = Path(__file__).with_name("saver.py")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("saving")
    result = run_ranks(["-m", "tests.distributed.saver", str(made)], 2, "mpirun")
    assert result.returncode == 0, result.output
    return made


@pytest.fixture(scope="module")
def plain(folder: Path) -> Result:
    # With ddl off the path, and any import of it or of Horovod an error (see `saver`).
    return run_ranks([str(SAVER), str(folder), "--plain"], 1, "none")


def test_it_loads_as_plain_keras_without_ddl_and_horovod(plain: Result) -> None:
    assert plain.returncode == 0, plain.output


@pytest.mark.parametrize("name", FORMATS)
def test_weights_and_optimizer_state_are_what_was_saved(
    folder: Path, plain: Result, name: str
) -> None:
    saved = list(_arrays(folder / "saved.npz"))
    loaded = list(_arrays(folder / f"{name}.loaded.npz"))
    assert len(loaded) == (7 if name == "model.h5" else len(saved))
    assert len(saved) > 20
    for got, expected in zip(loaded, saved, strict=False):
        np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize("name", ["model.keras", "model.weights.h5"])
def test_one_process_trains_on_as_the_ranks_do(folder: Path, plain: Result, name: str) -> None:
    ranks = list(_arrays(folder / "continued.npz"))
    alone = list(_arrays(folder / f"{name}.continued.npz"))
    for got, expected in zip(alone, ranks, strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-5 * np.abs(expected).max())


def _arrays(path: Path) -> Iterator[np.ndarray]:
    with np.load(path) as arrays:
        for number in range(len(arrays.files)):
            yield arrays[f"arr_{number}"]
