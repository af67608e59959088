"""Where each record of a set of shards begins, and its label: found once, then kept in a file.

The file stands beside the shards, or in the user's cache where their folder cannot be written. It is only a copy of
what the shards say: one that is damaged, or older than the shards, is made again. Its arrays take 16 bytes a record.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ddl.data.sources.array_files.npz import read_arrays
from ddl.data.sources.records.record_file import find_records
from ddl.files import parse_json, write_whole
from ddl.files.locks import hold_lock
from ddl.progress import Progress

_VERSION = 1
_WAIT_S = 600.0  # for another process that makes the same index
_POLL_S = 0.1
_QUIET_S = 2.0  # a scan that ends sooner shows no progress

LabelOf = Callable[[Path, memoryview, int], int]
"""Returns the label of a record, given its shard, its data and its place."""


@dataclass(frozen=True)
class RecordIndex:
    """The records of all shards, in the order of the shards.

    Attributes:
        shards: the files.
        ends: number of records in each shard and those before it.
        starts: where each record begins in its shard.
        labels: label of each record, as stored; empty without labels.
        sizes: size of each shard in bytes.
    """

    shards: tuple[Path, ...]
    ends: np.ndarray
    starts: np.ndarray
    labels: np.ndarray
    sizes: np.ndarray

    def __len__(self) -> int:
        return len(self.starts)

    def shard_of(self, indices: np.ndarray) -> np.ndarray:
        """Return the number of the shard of each of these records."""
        return np.searchsorted(self.ends, indices, side="right")

    def places(self, indices: np.ndarray) -> np.ndarray:
        """Return where these records begin and end in their shards, int64 of (records, 2)."""
        shards = self.shard_of(indices)
        is_last = indices + 1 == self.ends[shards]
        following = self.starts[np.minimum(indices + 1, len(self) - 1)]
        stops = np.where(is_last, self.sizes[shards], following)
        return np.stack([self.starts[indices], stops], axis=1)


def open_index(shards: Sequence[Path], name: str, label_key: str, label_of: LabelOf) -> RecordIndex:
    """Return the index of shards in one folder: the stored one, or else a new one, which is stored.

    Args:
        shards: the files, in order.
        name: what the set is called, such as "train"; part of the name of the index.
        label_key: what the labels are read from; "" for none. An index with other labels is made again.
        label_of: reads a label.

    Raises:
        ValueError: a shard is damaged.
    """
    facts = _facts(shards, label_key)
    for folder in _folders(shards[0].parent):
        path = folder / f".{name}.ddl-index.npz"
        found = _load(path, shards, facts)
        if found is not None:
            return found
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with _lock(path.with_suffix(".lock")):
                # Another process may have made it meanwhile.
                return _load(path, shards, facts) or _made(path, shards, facts, label_of)
        except OSError:  # a folder that cannot be written
            continue
    return _scan(shards, facts, label_of)


def _folders(data: Path) -> Iterator[Path]:
    """Yield the folders where an index may stand."""
    if os.access(data, os.W_OK | os.X_OK):
        yield data
    digest = hashlib.sha256(os.fsencode(os.path.realpath(data))).hexdigest()[:16]
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    yield Path(cache, "ddl", "record-indices", digest)


@contextlib.contextmanager
def _lock(path: Path) -> Iterator[None]:
    """Let one process after another into the block. A process that waits too long goes on without the lock."""
    with contextlib.ExitStack() as held:
        until = time.monotonic() + _WAIT_S
        while True:
            try:
                held.enter_context(hold_lock(path))
                break
            except BlockingIOError:
                if time.monotonic() > until:
                    break
                time.sleep(_POLL_S)
        yield


def _facts(shards: Sequence[Path], label_key: str) -> dict[str, Any]:
    """Return what an index must agree with."""
    stats = [shard.stat() for shard in shards]
    return {
        "version": _VERSION,
        "label_key": label_key,
        "shards": [shard.name for shard in shards],
        "sizes": [stat.st_size for stat in stats],
        "times_ns": [stat.st_mtime_ns for stat in stats],
    }


def _made(
    path: Path, shards: Sequence[Path], facts: dict[str, Any], label_of: LabelOf
) -> RecordIndex:
    """Make an index and store it. A full disk only means that the next process makes it again."""
    index = _scan(shards, facts, label_of)
    text = np.frombuffer(json.dumps(facts).encode(), np.uint8)
    counts = np.diff(index.ends, prepend=0)

    def write(partial: Path) -> None:
        with partial.open("wb") as file:
            np.savez(file, facts=text, counts=counts, starts=index.starts, labels=index.labels)

    with contextlib.suppress(OSError):
        write_whole(path, write)
    return index


def _scan(shards: Sequence[Path], facts: dict[str, Any], label_of: LabelOf) -> RecordIndex:
    """Read all shards once."""
    starts, labels, begin_s = [], [], time.monotonic()
    with contextlib.closing(Progress("shards indexed", len(shards))) as progress:
        for number, shard in enumerate(shards):
            of_shard: list[int] = []

            def visit(data: memoryview, place: int, shard: Path = shard) -> None:
                of_shard.append(label_of(shard, data, place))  # noqa: B023 (called in this round of the loop)

            starts.append(find_records(shard, visit if facts["label_key"] else None))
            labels.append(np.array(of_shard, np.int64))
            if time.monotonic() - begin_s > _QUIET_S:
                progress.show(number + 1)
    return _index(
        shards, [*map(len, starts)], np.concatenate(starts), np.concatenate(labels), facts
    )


def _load(path: Path, shards: Sequence[Path], facts: dict[str, Any]) -> RecordIndex | None:
    """Return a stored index; None without one, and for one that is damaged or of other shards."""
    if not path.is_file():
        return None
    try:
        text, counts = read_arrays(path, ("facts", "counts")).values()
        starts, labels = (np.array(a) for a in read_arrays(path, ("starts", "labels")).values())
        if parse_json(text.tobytes()) != facts or len(counts) != len(shards):
            return None
        index = _index(shards, counts, starts, labels, facts)
        return index if _is_sound(index, bool(facts["label_key"])) else None
    except (ValueError, OSError, TypeError, IndexError):
        return None


def _index(
    shards: Sequence[Path],
    counts: Sequence[int] | np.ndarray,
    starts: np.ndarray,
    labels: np.ndarray,
    facts: dict[str, Any],
) -> RecordIndex:
    ends = np.cumsum(np.asarray(counts, np.int64))
    sizes = np.array(facts["sizes"], np.int64)
    return RecordIndex(tuple(shards), ends, starts.astype(np.int64), labels.astype(np.int64), sizes)


def _is_sound(index: RecordIndex, has_labels: bool) -> bool:
    """Return whether the records of an index lie one behind the other within their shards."""
    count = len(index)
    if not count or index.ends[-1] != count or len(index.labels) != (count if has_labels else 0):
        return False
    if np.diff(index.ends, prepend=0).min() < 1:
        return False
    places = index.places(np.arange(count))
    firsts = np.concatenate([[0], index.ends[:-1]])
    return bool((places[firsts, 0] == 0).all() and (places[:, 1] > places[:, 0]).all())
