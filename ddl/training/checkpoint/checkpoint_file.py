"""A checkpoint file: a model for plain Keras, all that training needs to go on, and a checksum. No TensorFlow here.

The first 512 bytes are text, a "user block" that HDF5 leaves to others: `ddl checkpoint 1 sha256=... size=...`. It
tells a whole file from a damaged one without trusting HDF5, which sees neither a flipped bit nor some truncations.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from ddl.closable_file import Sink
from ddl.files import write_whole
from ddl.training.checkpoint import keras_h5
from ddl.training.checkpoint.keras_h5 import Layers, read_array, write_array

FORMAT = 1
BLOCK_BYTES = 512
_HDF5_SIGNATURE = b"\x89HDF\r\n\x1a\n"
_MARK = b"ddl checkpoint "
_READ_BYTES = 1 << 20

Private = dict[str, np.ndarray]
"""What one rank has of its own, by "seed/0", "moving/3", "accumulator/7", "metric/1": a kind and a place among them."""


@dataclass(frozen=True)
class Snapshot:
    """A training, stopped in time: what a checkpoint holds. `ddl.training.checkpoint.snapshot` takes and restores it.

    Attributes:
        architecture: the JSON text from which plain Keras builds the model.
        keras_version: by which it was written.
        weights: of each layer, (path, values) in Keras's order; means over ranks where these differ.
        optimizer: (path, values) in the order of `optimizer.variables`; accumulated gradients as means over ranks.
        optimizer_class: name of the class, "" without an optimizer.
        optimizer_config: JSON text of its settings, "" where they cannot be said in JSON.
        private: of each rank, what differs between them. Empty dicts where nothing does.
        facts: JSON values that the caller gave: plan, position, order, history, ...
    """

    architecture: str
    keras_version: str
    weights: Layers
    optimizer: list[tuple[str, np.ndarray]]
    optimizer_class: str
    optimizer_config: str
    private: list[Private]
    facts: dict[str, Any]


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint file that was found whole. Hand this on instead of the path: the file is hashed once, on opening.

    Attributes:
        path: of the file.
        facts: JSON values that it keeps: plan, position, order, history, ...
        identity: of the file that was verified.
    """

    path: Path
    facts: dict[str, Any]
    identity: tuple[int, ...]

    def read(self) -> Snapshot:
        """Return all that the file holds, without hashing it again.

        Raises:
            ValueError: it is no longer the file that was verified.
        """
        if _identity(self.path) != self.identity:
            raise ValueError(
                f"{self.path} has changed since it was verified. Expected: no other job that writes there; end it, and "
                "start this one again."
            )
        return _read_snapshot(self.path)


def write_checkpoint(path: Path, snapshot: Snapshot) -> None:
    """Write the file, whole or not at all. Nothing of it is copied in memory.

    Raises:
        OSError: the disk is full, or will not be written to.
    """
    write_whole(path, lambda partial: _fill(partial, snapshot))


def open_checkpoint(path: Path) -> Checkpoint:
    """Verify all of the file, and return it with its facts.

    Raises:
        ValueError: it is damaged, or no checkpoint.
    """
    identity = _identity(path)
    check_checkpoint(path)
    with h5py.File(path, "r") as file:
        return Checkpoint(path, _read_facts(file), identity)


def read_checkpoint(path: Path) -> Snapshot:
    """Return what the file holds.

    Raises:
        ValueError: it is damaged, or no checkpoint.
    """
    return open_checkpoint(path).read()


def check_checkpoint(path: Path) -> None:
    """Refuse a file of which a single bit differs from what was written.

    Raises:
        ValueError: with the file's name, what is wrong and what to do.
    """
    try:
        with path.open("rb") as file:
            block = file.read(BLOCK_BYTES)
            signature = file.read(len(_HDF5_SIGNATURE))
            size = os.fstat(file.fileno()).st_size
            if not block.startswith(_MARK) and signature != _HDF5_SIGNATURE:
                raise ValueError(
                    f"Received: {path}, which is no checkpoint of ddl. Expected: a file from a run's checkpoints "
                    "folder. (--init-weights takes weights from models of other origin.)"
                )
            damage = _damage(block, size, file.fileno())
    except OSError as error:
        raise ValueError(
            f"Received: {path}, which cannot be read ({error.strerror}). Expected: a checkpoint of ddl."
        ) from error
    if damage:
        raise ValueError(
            f"{path} is damaged ({damage}). Expected: a checkpoint as it was written; use the one before it."
        )


def _identity(path: Path) -> tuple[int, ...]:
    """Return numbers that change when the file is replaced or written to; none where it is not there."""
    try:
        found = path.stat()
    except OSError:  # `check_checkpoint` says why
        return ()
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


def _read_snapshot(path: Path) -> Snapshot:
    with h5py.File(path, "r") as file:
        group = file["ddl"]
        stored = group["optimizer"]
        slots = [stored[str(number)] for number in range(len(stored))]
        private = group["private"]
        return Snapshot(
            architecture=file.attrs["model_config"],
            keras_version=file.attrs["keras_version"],
            weights=keras_h5.read_layers(file),
            optimizer=[(slot.attrs["path"], read_array(slot)) for slot in slots],
            optimizer_class=stored.attrs["class"],
            optimizer_config=group["optimizer_config"].asstr()[()],
            private=[_read_private(private[str(rank)]) for rank in range(len(private))],
            facts=_read_facts(file),
        )


def _fill(partial: Path, snapshot: Snapshot) -> None:
    with Sink(partial) as sink:  # on a full disk, HDF5 would take the process down with it
        with h5py.File(sink, "w", userblock_size=BLOCK_BYTES) as file:
            keras_h5.write_model(
                file, snapshot.architecture, snapshot.keras_version, snapshot.weights
            )
            _write_own(file.create_group("ddl"), snapshot)
        sink.check()
        block = _block(sink.fileno(), os.fstat(sink.fileno()).st_size)
        sink.seek(0)
        sink.write(block)
        sink.check()


def _write_own(group: h5py.Group, snapshot: Snapshot) -> None:
    group["facts"] = json.dumps(snapshot.facts)
    group["optimizer_config"] = snapshot.optimizer_config
    slots = group.create_group("optimizer")
    slots.attrs["class"] = snapshot.optimizer_class
    for number, (path, values) in enumerate(snapshot.optimizer):
        write_array(slots, str(number), values).attrs["path"] = path
    ranks = group.create_group("private")
    for rank, private in enumerate(snapshot.private):
        own = ranks.create_group(str(rank))
        for name, values in private.items():
            write_array(own, name, values)


def _read_private(group: h5py.Group) -> Private:
    return {
        f"{kind}/{number}": read_array(group[kind][str(number)])
        for kind in group
        for number in range(len(group[kind]))
    }


def _read_facts(file: h5py.File) -> dict[str, Any]:
    facts: dict[str, Any] = json.loads(file["ddl/facts"].asstr()[()])
    return facts


def _damage(block: bytes, size: int, descriptor: int) -> str:
    """Return what is wrong with a file, "" where nothing is."""
    line = re.match(rb"ddl checkpoint (\d+) sha256=[0-9a-f]{64} size=(\d+)\n", block)
    if line and int(line[1]) != FORMAT:
        return (
            f"of format {int(line[1])}, where this version of ddl knows {FORMAT}, or its first line"
        )
    if line and int(line[2]) != size:
        return f"{size} bytes instead of {int(line[2])}"
    return "" if block == _block(descriptor, size) else "its checksum does not hold"


def _block(descriptor: int, size: int) -> bytes:
    """Return the first 512 bytes that a file with these contents must have."""
    digest, at = hashlib.sha256(), BLOCK_BYTES
    while piece := os.pread(descriptor, _READ_BYTES, at):
        digest.update(piece)
        at += len(piece)
    text = _MARK + f"{FORMAT} sha256={digest.hexdigest()} size={size}\n".encode()
    return text.ljust(BLOCK_BYTES, b"\0")
