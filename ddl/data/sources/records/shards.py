"""Finds the shards of a set by their names: `train-00000-of-01024`, `cifar10-test.tfrecord-00000-of-00001`."""

from __future__ import annotations

import os
import re
from collections import defaultdict
from pathlib import Path

from ddl.data.sources.split_folders import split_of
from ddl.data.splits import SPLITS

SUFFIXES = (".tfrecord", ".tfrecords")
_SHARD = re.compile(
    r"(?P<set>[^.].*?)(?:\.tfrecords?)?-(?P<number>\d{5,6})-of-(?P<count>\d{5,6})(?:\.tfrecords?)?"
)
_WHOLE = re.compile(r"(?P<set>[^.].*)\.tfrecords?")


def is_shard(name: str) -> bool:
    """Return whether a file name is that of a shard, or ends like a TFRecord file."""
    return bool(_SHARD.fullmatch(name) or _WHOLE.fullmatch(name))


def find_shards(folder: Path) -> dict[str, list[Path]]:
    """Return split -> its shards in order, for the sets of a folder whose names say their split.

    Raises:
        ValueError: a shard of a set is missing, or two sets are of one split.
    """
    sets: dict[str, dict[str, dict[int, str]]] = defaultdict(lambda: defaultdict(dict))
    for name in sorted(os.listdir(folder)):  # noqa: PTH208 (names are enough)
        match = _SHARD.fullmatch(name) or _WHOLE.fullmatch(name)
        split = None if match is None else _split_in(match["set"])
        if match is None or split is None:
            continue
        parts = match.groupdict()
        count, number = int(parts.get("count") or 1), int(parts.get("number") or 0)
        sets[split][f"{parts['set']} of {count}"][number] = name
    return {split: _whole(folder, split, sets[split]) for split in SPLITS if split in sets}


def _split_in(name: str) -> str | None:
    """Return the split in the name of a set, such as "train" in "cifar10-train"."""
    return split_of(re.split(r"[-_.]", name)[-1])


def _whole(folder: Path, split: str, sets: dict[str, dict[int, str]]) -> list[Path]:
    """Return the shards of a split; refuse a set with a shard missing, which would be trained on in silence."""
    if len(sets) > 1:
        raise ValueError(
            f"Received: {folder} with {' and '.join(sets)} for split={split}. Expected: one set of shards; move the "
            "others away."
        )
    (title, shards), *_ = sets.items()
    count = int(title.rpartition(" ")[2])
    missing = [number for number in range(count) if number not in shards]
    if missing or len(shards) != count:
        what = f"without shard {missing[0]}" if missing else "with more shards"
        raise ValueError(
            f"Received: {folder} {what} of {count} for split={split}. Expected: all of them, such as "
            f"{next(iter(shards.values()))}; download them again."
        )
    return [folder / shards[number] for number in range(count)]
