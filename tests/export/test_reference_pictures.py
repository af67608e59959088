"""Samples for checks and calibration have the model's input format and are spread over the data."""

from __future__ import annotations

import re
from pathlib import Path

import imageio.v3 as iio
import numpy as np
import pytest

from ddl.data.pictures.conversion import to_levels, unit_range
from ddl.export.formats.calibration import Calibration
from ddl.export.reference_pictures import open_samples, spread
from ddl.inference.trained_model import find_model
from tests.data import make
from tests.inference.models import make_pictures, make_run


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("samples") / "run"
    return make_run(folder, shape=(16, 16, 3), data_option={"count": 20}, image_size=(16, 16))


def opened(run: Path, data: Path | None, purpose: str, count: int = 100):
    return open_samples(find_model(run), purpose, data, count)


def test_samples_are_spread_evenly() -> None:
    assert spread(10, 5) == [0, 2, 4, 6, 8]
    assert spread(3, 5) == [0, 1, 2]


def test_validation_samples_check_and_training_samples_calibrate(run: Path) -> None:
    checks, calibration = opened(run, None, "check"), opened(run, None, "calibration")
    assert (len(checks), len(calibration)) == (2, 18)
    for sample in checks:
        assert sample.picture.shape == (16, 16, 3)
        assert sample.truth.shape == (16, 16, 1)
    seen = {sample.picture.tobytes() for sample in calibration}
    assert not seen & {sample.picture.tobytes() for sample in checks}
    assert len(opened(run, None, "check", 1)) == 1


def test_other_data_come_with_or_without_ground_truth(run: Path, tmp_path: Path) -> None:
    folder = make_pictures(tmp_path / "bare", [(17, 30)])
    iio.imwrite(folder / "1.png", np.zeros((600, 1900, 3), np.uint8))
    bare = opened(run, folder, "check")
    small, large = bare
    assert small.truth is large.truth is None
    assert small.picture.shape == (20, 32, 3)  # padded by reflection to multiples of 4
    assert small.inside == (slice(17), slice(30))
    assert large.picture.shape == (512, 512, 3)  # the first tile
    true = opened(run, make.pairs(tmp_path / "pairs", 3, height=18, width=18), "check")
    assert all(sample.truth.shape == (16, 16, 1) for sample in true)


def test_data_of_other_channels_are_refused_early(run: Path, tmp_path) -> None:
    np.savez(tmp_path / "a.npz", images=np.zeros((4, 16, 16, 1)), masks=np.zeros((4, 16, 16, 1)))
    with pytest.raises(ValueError, match=re.escape("samples of 16x16x1")):
        opened(run, tmp_path / "a.npz", "check")


def test_a_model_without_a_run_needs_pictures(run: Path, tmp_path: Path) -> None:
    file = tmp_path / "cells.keras"
    file.write_bytes((run / "model.keras").read_bytes())
    (tmp_path / "cells.preprocessing.json").write_text((run / "preprocessing.json").read_text())
    with pytest.raises(ValueError, match=r"without calibration_data\. Expected: --cal"):
        opened(file, None, "calibration")
    assert len(opened(file, make_pictures(tmp_path / "in", [(16, 16)]), "calibration")) == 1


def test_calibration_has_the_input_dtype_and_can_be_repeated(run: Path) -> None:
    calibration = Calibration(opened(run, None, "calibration", 2), np.dtype(np.uint8))
    first, again = list(calibration), list(calibration)
    assert [batch.shape for batch in first] == [(1, 16, 16, 3)] * 2
    assert first[0].dtype == np.uint8
    np.testing.assert_array_equal(first, again)


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_to_levels_inverts_unit_range(kind: type) -> None:
    levels = np.arange(np.iinfo(kind).max + 1, dtype=kind)
    np.testing.assert_array_equal(to_levels(unit_range(levels), np.dtype(kind)), levels)
    assert to_levels(np.array([-0.5, 1.5], np.float32), np.dtype(kind)).tolist() == [
        0,
        np.iinfo(kind).max,
    ]
