"""Mosaics are the same bits on any number of ranks, with any number of threads, and after a resume."""

from __future__ import annotations

from itertools import islice
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ddl.boxes.rows import CLASS, CORNERS, boxes_in, padded_rows
from ddl.data.batches import pipeline
from ddl.data.batches.augmentation import Augmentation
from ddl.data.batches.batch_reader import BatchReader
from ddl.data.batches.mixing import Mixing
from ddl.data.batches.mosaic import assembled, drawn_tiles
from ddl.data.batches.mosaic_reader import MosaicReader
from ddl.data.box_samples import BoxSamples, first_wrong
from ddl.data.order import Position, SampleOrder
from ddl.data.sharding import group_positions, shard_bounds
from ddl.data.sources import open_source

COUNT = 26
SAMPLES = BoxSamples(open_source("synthetic-boxes", count=COUNT, size=(40, 48), channels=1), 3)
AUGMENTATION = Augmentation(flip_horizontal=0.5, rotation_degrees=10, noise=0.1)
Steps = list[tuple[np.ndarray, ...]]


def batches(size: int, rank: int, count: int, **options: Any) -> Steps:
    """Return the first batches of one of `size` ranks, which share 8 samples a step."""
    order = SampleOrder("global", COUNT, 8 // size, size, seed=9)
    options = {"augmentation": AUGMENTATION, "mixing": Mixing(mosaic=0.7), "epochs": 9, **options}
    with pipeline.training_batches(SAMPLES, order=order, rank=rank, **options) as found:
        return [tuple(part.numpy() for part in batch) for batch in islice(found.dataset, count)]


def equal(one: Steps, two: Steps) -> bool:
    pairs = zip(one, two, strict=True)
    return all(np.array_equal(a, b) for x, y in pairs for a, b in zip(x, y, strict=True))


def test_ranks_together_have_the_batches_of_one() -> None:
    whole = batches(1, 0, 8)  # two epochs; the last step of each has two samples
    assert not equal(whole, batches(1, 0, 8, mixing=None))
    for size in (2, 4, 8):
        parts = [batches(size, rank, 8) for rank in range(size)]
        together = [
            tuple(np.concatenate(part) for part in zip(*step, strict=True))
            for step in zip(*parts, strict=True)
        ]
        assert equal(whole, together)


def test_threads_and_a_resume_within_an_epoch_change_nothing() -> None:
    whole = batches(2, 1, 8)
    assert equal(whole, batches(2, 1, 8, threads=4))
    assert equal(whole[2:], batches(2, 1, 6, start=Position(0, 2)))
    assert equal(whole[5:], batches(2, 1, 3, start=Position(1, 1), threads=3))


def test_boxes_are_right_and_the_last_epochs_are_not_mixed() -> None:
    plain = batches(1, 0, 8, mixing=None)
    steps = batches(1, 0, 8, mixing=Mixing(mosaic=1.0, off_epochs=1), epochs=2)
    assert equal(plain[4:], steps[4:])
    for (pictures, rows), (others, _) in zip(steps[:4], plain[:4], strict=True):
        assert first_wrong(rows, 3) is None
        assert not any(np.array_equal(a, b) for a, b in zip(pictures, others, strict=True))


def test_a_part_of_the_samples_is_mixed() -> None:
    plain = batches(1, 0, 32, mixing=None)
    steps = batches(1, 0, 32, mixing=Mixing(mosaic=0.5))
    same = [
        np.array_equal(a, b)
        for (one, _), (two, _) in zip(plain, steps, strict=True)
        for a, b in zip(one, two, strict=True)
    ]
    assert 0.35 < np.mean(same) < 0.65


@given(index=st.integers(0, 10**6), height=st.integers(2, 60), width=st.integers(2, 60))
def test_boxes_move_as_the_pixels_of_their_tile(index: int, height: int, width: int) -> None:
    """Each of the four pictures has one box, whose pixels have a value of its own."""
    rng = np.random.default_rng(index)
    pictures, rows = np.zeros((4, height, width, 1)), []
    for number in range(4):
        x0, y0 = int(rng.integers(width)), int(rng.integers(height))
        x1, y1 = int(rng.integers(x0, width)) + 1, int(rng.integers(y0, height)) + 1
        pictures[number, y0:y1, x0:x1] = number + 1
        corners = np.divide((x0, y0, x1, y1), (width, height, width, height))
        rows.append(padded_rows(np.array([[number, *corners, 0]]), 2))
    _, tiles = drawn_tiles((height, width), seed=0, epoch=1, step=2, index=index)
    whole, found = assembled(tiles, pictures, rows, visibility=0.0)
    seen = {int(row[CLASS]): row[CORNERS] * (width, height, width, height) for row in found}
    for number in range(4):
        mask = whole[..., 0] == number + 1
        assert mask.any() == (number in seen)
        if number in seen:
            lines, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
            wanted = (columns[0], lines[0], columns[-1] + 1, lines[-1] + 1)
            assert np.allclose(seen[number], wanted, atol=1e-3)


def test_boxes_that_are_mostly_cut_off_are_left_out() -> None:
    rows = [padded_rows(np.array([[0, 0, 0, 1, 1, 0]]), 1)] * 4
    _, tiles = drawn_tiles((40, 40), seed=0, epoch=0, step=0, index=0)
    areas = [(t.place[2] - t.place[0]) * (t.place[3] - t.place[1]) / 1600 for t in tiles]
    for visibility in (0.1, 0.25, 0.4):
        _, found = assembled(tiles, np.zeros((4, 40, 40, 1)), rows, visibility=visibility)
        assert len(found) == sum(area >= visibility for area in areas)


def test_surplus_boxes_are_the_smallest_and_said_once(capsys: pytest.CaptureFixture[str]) -> None:
    samples = BoxSamples(open_source("synthetic-boxes", count=8, size=64, objects=2, seed=1), 3)
    plain = BatchReader(samples, Augmentation(box_visibility=0.01), trains=True)
    reader = MosaicReader(plain, Mixing(mosaic=1.0), seed=0, epochs=3)
    groups = group_positions(0, 8, 8, 4)[None]
    assert capsys.readouterr().err == ""
    read, rows = reader.read_steps(0, 0, groups)
    assert rows.shape == (8, 2, 6)
    _, stored = samples.read(range(8)).values()
    surplus = 0
    for index in range(8):
        _, tiles = drawn_tiles((64, 64), seed=0, epoch=0, step=0, index=index)
        members = groups[0, :, index]
        _, boxes = assembled(tiles, read, list(stored[members]), visibility=0.01)
        assert np.array_equal(boxes_in(rows[index]), boxes[:2])
        sizes = (boxes[:, 3:5] - boxes[:, 1:3]).prod(1)
        assert np.all(np.diff(sizes) <= 0)
        surplus += max(0, len(boxes) - 2)
    assert reader.surplus == surplus > 2
    reader.read_steps(1, 0, groups)
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert "its smallest are left out" in lines[0]


@given(count=st.integers(0, 40), size=st.integers(1, 5))
def test_groups_are_neighbours_and_fall_on_ranks_as_on_one(count: int, size: int) -> None:
    whole = group_positions(0, count, count, 4)
    parts = [group_positions(*shard_bounds(count, rank, size), count, 4) for rank in range(size)]
    assert np.array_equal(whole, np.concatenate(parts, 1))
    assert np.array_equal(whole[0], np.arange(count))
    full = count // 4 * 4
    assert np.array_equal(np.sort(whole[:, :full], 0)[0], np.arange(full) // 4 * 4)
    assert np.all((whole < count) & (whole // 4 == whole[0] // 4))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"mosaic": 1.5}, "mosaic=1.5 for mix. Expected: at least 0, at most 1"),
        ({"mosaic": 0.5, "mixup": 0.2}, "mosaic=0.5 and mixup=0.2. Expected: mosaic for boxes, or"),
        ({"mosaic": 0.5, "probability": 0.2}, "mosaic=0.5 and probability=0.2"),
        ({"mosaic": 0.5, "switch": 0.2}, "switch=0.2"),
    ],
)
def test_mixes_that_cannot_be_are_refused(options: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=r"^Received: m(ix|osaic)") as raised:
        Mixing(**options)
    assert message in str(raised.value)


def test_samples_without_boxes_are_refused() -> None:
    with pytest.raises(ValueError, match="mix mosaic for samples without boxes"):
        MosaicReader(BatchReader(open_source("faces")), Mixing(mosaic=1.0), seed=0, epochs=1)
