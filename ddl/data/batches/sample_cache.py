"""Samples kept in memory once they were read, as the source gives them: before conversion and augmentation."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ddl.data.source import Source, View, checked_indices, empty_batch, origin_of
from ddl.data.sources.arrays import Arrays
from ddl.machine import available_memory_bytes
from ddl.ranges import check_choice

CACHES = ("auto", "memory", "none")
SHARE = 0.25  # of a rank's part of the free memory: training and validation data may both be kept
AUTO_BYTES = (
    256 << 20
)  # at most where nobody asked for it: a rank's memory must not grow with the data
MOST = 0.75  # even where it is asked for: the model needs some


class Cached(View):
    """A source that reads every sample once. Room for all of them is set aside, and taken as they come."""

    def __init__(self, source: Source, limit_bytes: int, count: int | None = None) -> None:
        """Keep what is read of `source`, which is closed with this one.

        Args:
            source: that takes time to read.
            limit_bytes: the most memory that may be taken.
            count: samples that will be read at most; by default all of them.

        Raises:
            ValueError: they need more.
        """
        needed = stored_bytes(source, count)
        if needed > limit_bytes:
            raise ValueError(
                f"Received: data of {_size(needed)} to keep in memory, where {_size(limit_bytes)} may be taken. "
                "Expected: no more; cache=none reads them anew in every epoch."
            )
        super().__init__(source)
        self._kept = empty_batch(source.fields, len(source))
        self._is_kept = np.zeros(len(source), np.bool_)

    def read(self, indices: Sequence[int] | np.ndarray) -> dict[str, np.ndarray]:
        """Return copies of these samples.

        Threads need no lock: a sample is marked after it is there, and two that read the same one write the same.
        """
        wanted = checked_indices(indices, len(self))
        missing = np.unique(wanted[~self._is_kept[wanted]])
        if len(missing):
            for name, part in self.source.read(missing).items():
                self._kept[name][missing] = part
            self._is_kept[missing] = True
        return {name: array[wanted] for name, array in self._kept.items()}

    def read_column(self, name: str) -> np.ndarray | None:
        """Return a field of all samples, or None where that means reading everything."""
        return self.source.read_column(name)


def cached(
    source: Source, policy: str = "auto", *, local_ranks: int = 1, count: int | None = None
) -> Source:
    """Return the source as a policy has it: kept in memory as it is read, or left alone.

    Arrays, which are in memory or mapped from a file that the system keeps there, are never kept a second time.

    Args:
        source: as it was opened: pictures of 8 bits take a quarter of the room of floats.
        policy: "auto": keep it if it fits; "memory": keep it, and refuse what does not fit; "none": read it anew.
        local_ranks: ranks that share this machine's memory, each keeping all the samples it meets.
        count: samples that this rank reads at most, its block in a contiguous order; by default all.
    """
    check_choice("cache", policy, CACHES)
    if policy == "none" or isinstance(source, Cached) or isinstance(origin_of(source), Arrays):
        return source
    limit_bytes = memory_share(SHARE if policy == "auto" else MOST, local_ranks)
    if policy == "auto":
        limit_bytes = min(limit_bytes, AUTO_BYTES)
    if policy == "auto" and stored_bytes(source, count) > limit_bytes:
        return source
    return Cached(source, limit_bytes, count)


def fits(source: Source, share: float = SHARE, *, local_ranks: int = 1) -> bool:
    """Return whether all samples fit into this share of a rank's part of the free memory."""
    return stored_bytes(source) <= memory_share(share, local_ranks)


def memory_share(share: float, local_ranks: int) -> int:
    """Return the bytes that are this share of what each of the machine's ranks may still take."""
    return int(available_memory_bytes() * share / local_ranks)


def stored_bytes(source: Source, count: int | None = None) -> int:
    """Return the bytes of so many samples (by default all) as the source gives them."""
    sample = sum(
        int(np.prod(field.shape, dtype=np.int64)) * field.dtype.itemsize
        for field in source.fields.values()
    )
    return sample * (len(source) if count is None else count)


def _size(count: int) -> str:
    return f"{count / (1 << 30):.2f} GiB"
