"""Predictions of slices come together as the array that they were cut from, to the last bit."""

from __future__ import annotations

import errno
import resource
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

from ddl.data.slicing import assembly
from ddl.data.slicing.assembly import Assembled, Assembly
from ddl.data.slicing.boxes import Slices
from ddl.data.slicing.slicer import Slicer, parse_slicers
from tests.data.slicing.cases import cases, identity

MANY = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
Case = tuple[np.ndarray, tuple[Slicer, ...]]


@pytest.fixture(autouse=True)
def unsynced(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files of hundreds of examples need not survive a power cut."""
    monkeypatch.setattr("os.fsync", lambda descriptor: None)


def assemble(
    path: Path,
    slices: Slices,
    samples: np.ndarray,
    numbers: np.ndarray | None = None,
    precision: str = "single",
    step: int = 5,
) -> list[Assembled]:
    """Assemble samples, a few at a time."""
    if numbers is None:
        numbers = np.arange(len(samples))
    with Assembly(path, slices, numbers, precision) as file:
        for start in range(0, len(samples), step):
            rows = np.arange(start, min(start + step, len(samples)))
            file.add(rows, samples[rows])
        return file.finish()


def stored(path: Path) -> dict[str, np.ndarray]:
    with h5py.File(path) as file:
        return {name: file[name][()] for name in file}


def same_bits(one: np.ndarray, other: np.ndarray) -> bool:
    return one.dtype == other.dtype and one.tobytes() == np.ascontiguousarray(other).tobytes()


@pytest.mark.parametrize("tile_values", [7, 1 << 22])
@given(case=cases())
@MANY
def test_slicing_and_assembly_undo_each_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tile_values: int, case: Case
) -> None:
    values, slicers = case
    monkeypatch.setattr(assembly, "TILE_VALUES", tile_values)
    slices = Slices(values.shape[1:], slicers)
    results = assemble(tmp_path / "a.h5", slices, identity(values, slices))
    arrays = stored(tmp_path / "a.h5")
    assert [*arrays] == sorted(one.slicer.name for one in slices.sets)
    for one, result in zip(slices.sets, results, strict=True):
        covered = np.zeros(one.sides, bool)
        for number in range(one.count):
            covered[one.box(number)] = True
        expected = np.where(covered[..., None], np.moveaxis(values, 0, -1), np.float32(0))
        assert same_bits(arrays[one.slicer.name], expected)
        assert result.uncovered == (~covered).sum()
        if result.uncovered:
            assert result.first == tuple(np.argwhere(~covered)[0])


@given(case=cases())
@settings(MANY, max_examples=20)
def test_the_bytes_do_not_depend_on_the_order_of_arrival(tmp_path: Path, case: Case) -> None:
    values, slicers = case
    slices = Slices(values.shape[1:], slicers)
    samples = identity(values, slices) + np.arange(len(slices)).reshape(
        -1, *[1] * (len(slices.sample_sides) + 1)
    ).astype(np.float32)
    assemble(tmp_path / "a.h5", slices, samples)
    shuffled = np.random.default_rng(0).permutation(len(samples))
    assemble(tmp_path / "b.h5", slices, samples[shuffled], shuffled, step=3)
    assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "b.h5").read_bytes()


def test_overlapping_predictions_are_averaged(tmp_path: Path) -> None:
    slices = Slices((4,), parse_slicers(["name=a sizes=2 strides=1"]))
    samples = np.array([[1, 2], [4, 5], [9, 7]], np.float32)[..., None]
    assemble(tmp_path / "a.h5", slices, samples)
    assert stored(tmp_path / "a.h5")["a"][:, 0].tolist() == [1, 3, 7, 7]


def test_places_without_a_prediction_are_zeros_and_named(tmp_path: Path) -> None:
    """As where a part of the slices was held out for validation."""
    slices = Slices((4, 6), parse_slicers(["name=a sizes=2,3", "name=b sizes=2,3"]))
    samples = np.ones((3, 2, 3, 2), np.float32)
    first, second = assemble(tmp_path / "a.h5", slices, samples, np.array([0, 3, 5]))
    assert (first.uncovered, first.first) == (12, (0, 3))
    assert first.notes() == [
        "12 of 24 places of a are in no predicted slice and hold zeros, the first at 0, 3"
    ]
    arrays = stored(tmp_path / "a.h5")
    assert arrays["a"].sum(-1).tolist() == [[2] * 3 + [0] * 3] * 2 + [[0] * 3 + [2] * 3] * 2
    assert arrays["b"].sum() == 12
    assert second.first == (0, 0)


def test_half_precision_is_float16_and_says_what_it_cannot_hold(tmp_path: Path) -> None:
    slices = Slices((4,), parse_slicers(["name=a sizes=2"]))
    samples = np.array([[0.1, 1e6], [np.inf, -0.0]], np.float32)[..., None]
    (result,) = assemble(tmp_path / "a.h5", slices, samples, precision="half")
    assert result.notes() == ["1 values of a exceed float16 and became infinite"]
    values = stored(tmp_path / "a.h5")["a"][:, 0]
    assert same_bits(values, np.array([0.1, np.inf, np.inf, -0.0], np.float16))


def test_channels_of_predictions_may_be_others_than_those_of_the_array(tmp_path: Path) -> None:
    slices = Slices((3, 4), parse_slicers(["name=a sizes=3,4 padding=1,1"]))
    (result,) = assemble(tmp_path / "a.h5", slices, np.zeros((1, 5, 6, 7), np.float32))
    assert result.shape == (3, 4, 7)


def test_predictions_of_other_sides_are_refused(tmp_path: Path) -> None:
    slices = Slices((4, 4), parse_slicers(["sizes=4,4"]))
    with pytest.raises(ValueError, match=r"shape 2x4x1 for slices of 4x4, to assemble\. Expected"):
        assemble(tmp_path / "a.h5", slices, np.zeros((1, 2, 4, 1), np.float32))
    assert not [*tmp_path.iterdir()]


def test_without_finish_nothing_stays(tmp_path: Path) -> None:
    slices = Slices((4,), parse_slicers(["sizes=4"]))
    with Assembly(tmp_path / "a.h5", slices, np.arange(1)) as file:
        file.add(np.arange(1), np.zeros((1, 4, 1), np.float32))
    assert not [*tmp_path.iterdir()]


@pytest.mark.parametrize("room", [1 << 12, 3 << 18])
def test_a_full_disk_is_told_at_the_end_and_keeps_the_older_file(tmp_path: Path, room: int) -> None:
    """A limit on file sizes, within the predictions that wait or, after these, within the result."""
    slices = Slices((1 << 19,), parse_slicers(["sizes=65536 strides=32768"]))
    numbers = np.arange(0, len(slices), 2)[:2]  # half a MiB waits, for a result of two
    (tmp_path / "a.h5").write_text("older")
    with file_limit(room), Assembly(tmp_path / "a.h5", slices, numbers) as file:
        for row in range(2):
            file.add(np.array([row]), np.ones((1, 65536, 1), np.float32))
        with pytest.raises(OSError, match=r".*") as caught:
            file.finish()
    assert caught.value.errno == errno.EFBIG
    assert [path.name for path in tmp_path.iterdir()] == ["a.h5"]
    assert (tmp_path / "a.h5").read_text() == "older"


class file_limit:  # noqa: N801
    """A limit on the size of every file that this process writes, which acts as a full disk does."""

    def __init__(self, most: int) -> None:
        self._most = most

    def __enter__(self) -> None:
        self._before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (self._most, self._before[1]))

    def __exit__(self, *error: Any) -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, self._before)


def test_tiles_divide_an_array_and_are_small() -> None:
    for sides, sizes, most in (
        ((20, 30, 40), (8, 8, 1), 512),
        ((7, 5), (9, 9), 4),
        ((9,), (2,), 99),
    ):
        count = np.zeros(sides, int)
        for tile in assembly.tiles(sides, sizes, most):
            count[tile] += 1
            assert count[tile].size <= most
        assert (count == 1).all()
