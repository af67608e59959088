"""Keeps samples in memory after the first read, before conversion and augmentation."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ddl.data.source import Source, View, checked_indices, empty_batch, origin_of
from ddl.data.sources.arrays import Arrays
from ddl.machine import available_memory_bytes
from ddl.ranges import check_choice

CACHES = ("auto", "memory", "none")
# Limits of `auto`: a fraction of a rank's share of the free memory, because training and validation data may
# both be cached; and a size, because a rank's memory must not grow with the data.
SHARE, AUTO_BYTES = 0.25, 256 << 20
MOST = 0.75  # limit of `memory`: the model needs the rest


class Cached(View):
    """A source that reads every sample once. Memory for all is reserved, and used as samples are read."""

    def __init__(self, source: Source, limit_bytes: int, count: int | None = None) -> None:
        """Cache samples of `source`, which is closed with this one.

        Raises:
            ValueError: `count` samples (by default all) need more than `limit_bytes` of memory.
        """
        needed = stored_bytes(source, count)
        if needed > limit_bytes:
            raise ValueError(
                f"Received: {_size(needed)} of data to cache in memory. Expected: at most {_size(limit_bytes)}; "
                "use cache=none to read the data again in every epoch."
            )
        super().__init__(source)
        self._kept = empty_batch(source.fields, len(source))
        self._is_kept = np.zeros(len(source), np.bool_)

    def read(self, indices: Sequence[int] | np.ndarray) -> dict[str, np.ndarray]:
        """Return copies of these samples.

        No lock is needed: a sample is marked after it is stored, and threads that read the same one store equal values.
        """
        wanted = checked_indices(indices, len(self))
        missing = np.unique(wanted[~self._is_kept[wanted]])
        if len(missing):
            for name, part in self.source.read(missing).items():
                self._kept[name][missing] = part
            self._is_kept[missing] = True
        return {name: array[wanted] for name, array in self._kept.items()}

    def read_column(self, name: str) -> np.ndarray | None:
        return self.source.read_column(name)


def cached(
    source: Source, policy: str = "auto", *, local_ranks: int = 1, count: int | None = None
) -> Source:
    """Return the source, cached in memory if the policy asks for it.

        source = cached(open_source("cells.h5"), "auto", local_ranks=2)

    Arrays are already in memory, or mapped from a file that the system caches, so they are never cached again.

    Args:
        source: the source as opened: 8-bit pictures take a quarter of the memory of floats.
        policy: "auto": cache it if it fits; "memory": cache it, or raise if it does not fit; "none": no cache.
        local_ranks: ranks that share this machine's memory; each caches all samples that it reads.
        count: maximum number of samples this rank reads, such as its contiguous block; by default all.
    """
    check_choice("cache", policy, CACHES)
    if policy == "none" or isinstance(source, Cached) or isinstance(origin_of(source), Arrays):
        return source
    if policy == "memory":
        return Cached(source, memory_share(MOST, local_ranks), count)
    limit_bytes = min(memory_share(SHARE, local_ranks), AUTO_BYTES)
    fits_well = stored_bytes(source, count) <= limit_bytes
    return Cached(source, limit_bytes, count) if fits_well else source


def fits(source: Source, share: float = SHARE, *, local_ranks: int = 1) -> bool:
    """Return whether all samples fit into this fraction of a rank's share of the free memory."""
    return stored_bytes(source) <= memory_share(share, local_ranks)


def memory_share(share: float, local_ranks: int) -> int:
    """Return this fraction of a rank's share of the free memory, in bytes."""
    return int(available_memory_bytes() * share / local_ranks)


def stored_bytes(source: Source, count: int | None = None) -> int:
    """Return the size in bytes of `count` samples (by default all), as the source returns them."""
    sample_bytes = sum(field.nbytes for field in source.fields.values())
    return sample_bytes * (len(source) if count is None else count)


def _size(count: int) -> str:
    return f"{count / (1 << 30):.2f} GiB"
