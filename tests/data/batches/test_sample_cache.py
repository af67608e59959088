"""The cache returns samples from memory after the first read, if they fit and are not in memory already."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from ddl.data.batches import sample_cache
from ddl.data.batches.sample_cache import Cached, cached, fits, stored_bytes
from ddl.data.source import Field, Source, Subset
from ddl.data.sources import open_source
from tests.data import make

PICTURES, MASKS = make.arrays()


class Counting(Source):
    """A source that counts how often each sample is read."""

    def __init__(self, count: int = 200) -> None:
        self.fields = {"image": Field((4, 4, 1), np.dtype(np.uint8))}
        self.times = np.zeros(count, int)
        self.is_closed = False

    def __len__(self) -> int:
        return len(self.times)

    def read(self, indices: Sequence[int] | np.ndarray) -> dict[str, np.ndarray]:
        np.add.at(self.times, np.asarray(indices, int), 1)
        values = np.asarray(indices, np.uint8)[:, None, None, None]
        return {"image": np.broadcast_to(values, (len(values), 4, 4, 1)).copy()}

    def close(self) -> None:
        self.is_closed = True


def test_each_sample_is_read_once_and_comes_back_as_it_was() -> None:
    source = Counting()
    kept = Cached(source, 1 << 20)
    assert len(kept) == 200
    for wanted in ([5, 3, 5], [3, 4], [], [199]):
        batch = kept.read(wanted)["image"]
        assert batch.dtype == np.uint8
        assert batch[:, 0, 0, 0].tolist() == wanted
        batch[:] = 0  # a copy: the cached samples must not change
    assert kept.read([5])["image"].max() == 5
    assert source.times[[3, 4, 5, 199]].tolist() == [1, 1, 1, 1]
    assert source.times.sum() == 4
    with pytest.raises(ValueError, match=r"index 200\. Expected: 0 to 199"):
        kept.read([200])
    kept.close()
    assert source.is_closed


def test_threads_that_read_at_once_get_the_right_samples() -> None:
    kept = Cached(Counting(), 1 << 20)
    wrong: list[np.ndarray] = []

    def read(seed: int) -> None:
        rng = np.random.default_rng(seed)
        for _ in range(200):
            wanted = rng.integers(0, 200, 8)
            if not np.array_equal(kept.read(wanted)["image"][:, 1, 1, 0], wanted):
                wrong.append(wanted)

    threads = [threading.Thread(target=read, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_data_that_do_not_fit_are_refused_or_not_cached(monkeypatch: pytest.MonkeyPatch) -> None:
    source = Counting()
    assert stored_bytes(source) == 3200
    with pytest.raises(ValueError, match=r"0\.00 GiB .*cache=none"):
        Cached(source, 3199)
    monkeypatch.setattr(sample_cache, "available_memory_bytes", lambda: 4 * 3200 * 2)
    assert fits(source, local_ranks=2)
    assert not fits(source, local_ranks=3)
    assert isinstance(cached(source, "auto", local_ranks=2), Cached)
    assert cached(source, "auto", local_ranks=3) is source
    assert isinstance(
        cached(source, "memory", local_ranks=3), Cached
    )  # the limit is three quarters
    with pytest.raises(ValueError, match="of data to cache in memory"):
        cached(source, "memory", local_ranks=7)
    assert isinstance(cached(source, "auto", local_ranks=3, count=100), Cached)  # a rank's block
    assert cached(source, "none") is source
    monkeypatch.setattr(sample_cache, "AUTO_BYTES", 3199)
    assert cached(source, "auto") is source
    assert isinstance(cached(source, "memory"), Cached)
    with pytest.raises(ValueError, match=r"cache=.disk.*auto, memory, none"):
        cached(source, "disk")


def test_data_in_memory_are_not_cached_again(tmp_path: Path) -> None:
    mapped = open_source(make.npy(tmp_path / "npy"))
    assert cached(mapped, "memory") is mapped
    half = Subset(mapped, [0, 2])
    assert cached(half, "memory") is half
    kept = cached(open_source(make.hdf5(tmp_path / "a.h5")), "memory")
    assert cached(kept, "memory") is kept


@pytest.mark.parametrize("write", [make.hdf5, lambda path: make.pairs(path.parent)])
def test_cached_samples_outlive_their_files(tmp_path: Path, write: object) -> None:
    source = open_source(write(tmp_path / "a.h5"))  # type: ignore[operator]
    kept = cached(source)
    first = kept.read([4, 0, 2])
    kept.close()
    for file in tmp_path.iterdir():
        file.unlink()
    again = kept.read([2, 4])
    assert np.array_equal(again["image"], PICTURES[[2, 4]])
    assert np.array_equal(again["mask"], MASKS[[2, 4]])
    assert first["image"].dtype == again["image"].dtype == np.uint8
    with pytest.raises(ValueError, match="Received: "):
        kept.read([1])
