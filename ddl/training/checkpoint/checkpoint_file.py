"""A checkpoint file: a model for plain Keras, the state needed to resume training, and a checksum. No TensorFlow here.

The first 512 bytes are text, HDF5's "user block": `ddl checkpoint 1 sha256=... size=...`. The checksum detects
damage that HDF5 does not notice: a flipped bit, and some truncations.

    checkpoint = open_checkpoint(Path("run/checkpoints/epoch-0040.h5"))  # verifies the whole file
    checkpoint.facts["history"][-1]
    snapshot = checkpoint.read()  # weights, optimizer and every rank's private state
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from ddl.files import check_regular, parse_json, write_whole
from ddl.files.closable_file import ClosableFile
from ddl.files.guarded_hdf5 import GuardedFile, naming_damage
from ddl.training.checkpoint import keras_h5
from ddl.training.checkpoint.facts import checked_facts
from ddl.training.checkpoint.keras_h5 import Layers, read_array, read_name, write_array

FORMAT = 1
BLOCK_BYTES = 512
_HDF5_SIGNATURE = b"\x89HDF\r\n\x1a\n"
_MARK = b"ddl checkpoint "
_READ_BYTES = 1 << 20

Private = dict[str, np.ndarray]
"""State that one rank does not share, keyed by kind and number: "seed/0", "moving/3", "accumulator/7", "metric/1"."""


@dataclass(frozen=True)
class Snapshot:
    """The state of a training run in a checkpoint. `ddl.training.checkpoint.snapshot` takes and restores it."""

    architecture: str  # the JSON text from which plain Keras builds the model
    keras_version: str
    weights: Layers  # means over ranks if the ranks differ
    optimizer: list[tuple[str, np.ndarray]]  # (path, values) in the order of `optimizer.variables`
    optimizer_class: str  # "" without an optimizer
    optimizer_config: str  # JSON text; "" if JSON cannot express it
    private: list[Private]  # the state that differs between ranks, one dict per rank
    facts: dict[str, Any]  # JSON values given by the caller: plan, position, order, history, ...


@dataclass(frozen=True)
class Checkpoint:
    """A verified checkpoint file. Pass this on instead of the path, so that the file is hashed only once."""

    path: Path
    facts: dict[str, Any]
    identity: tuple[int, ...]  # of the file when it was verified

    def read(self) -> Snapshot:
        """Return the file's contents without hashing it again.

        Raises:
            ValueError: the file has changed since it was verified.
        """
        if _identity(self.path) != self.identity:
            raise ValueError(
                f"{self.path} has changed since it was verified. Expected: no other job writing there. Stop "
                "the other job and start this one again."
            )
        return _read_snapshot(self.path)


def write_checkpoint(path: Path, snapshot: Snapshot) -> None:
    """Write the file, whole or not at all, without copying the arrays in memory.

    Raises:
        OSError: the disk is full or cannot be written.
    """
    write_whole(path, lambda partial: _fill(partial, snapshot))


def open_checkpoint(path: Path) -> Checkpoint:
    """Verify the whole file and return it with its facts.

    Raises:
        ValueError: the file is damaged or not a checkpoint.
    """
    identity = _identity(path)
    check_checkpoint(path)
    with naming_damage(functools.partial(_strange, path)), GuardedFile(path) as file:
        return Checkpoint(path, _read_facts(file), identity)


def peek_plan(path: Path) -> Mapping[str, Any] | None:
    """Return the plan in a checkpoint without verifying the file; None where there is none."""
    try:
        with GuardedFile(path) as file:  # it may come from strangers, and is not verified yet
            plan = _read_facts(file)["plan"]
    except (
        OSError,
        KeyError,
        ValueError,
        TypeError,
        AttributeError,
    ):  # `open_checkpoint` reports the reason
        return None
    return plan if isinstance(plan, Mapping) else None


def check_checkpoint(path: Path) -> None:
    """Refuse a file in which even one bit differs from what was written.

    Raises:
        ValueError: names the file, the damage and the remedy.
    """
    check_regular(path)
    try:
        with path.open("rb") as file:
            block = file.read(BLOCK_BYTES)
            signature = file.read(len(_HDF5_SIGNATURE))
            size = os.fstat(file.fileno()).st_size
            if not block.startswith(_MARK) and signature != _HDF5_SIGNATURE:
                raise ValueError(
                    f"Received: {path}, which is not a ddl checkpoint. Expected: a file from a run's checkpoints "
                    "folder. (To load weights from another model, use --init-weights.)"
                )
            damage = _damage(block, size, file.fileno())
    except OSError as error:
        raise ValueError(
            f"Received: {path}, which cannot be read ({error.strerror}). Expected: a readable ddl checkpoint."
        ) from error
    if damage:
        raise ValueError(
            f"{path} is damaged ({damage}). Expected: an intact checkpoint; use the one before it."
        )


def _identity(path: Path) -> tuple[int, ...]:
    """Return numbers that change when the file is replaced or written; () where it does not exist."""
    try:
        status = path.stat()
    except OSError:  # `check_checkpoint` reports the reason
        return ()
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


def _read_snapshot(path: Path) -> Snapshot:
    with naming_damage(functools.partial(_strange, path)), GuardedFile(path) as file:
        group = file["ddl"]
        stored = group["optimizer"]
        slots = [stored[str(number)] for number in range(len(stored))]
        private = group["private"]
        if not len(private):
            raise ValueError("no rank's private state")
        return Snapshot(
            architecture=read_name(file, "model_config"),
            keras_version=read_name(file, "keras_version"),
            weights=keras_h5.read_layers(file),
            optimizer=[(read_name(slot, "path"), read_array(slot)) for slot in slots],
            optimizer_class=read_name(stored, "class"),
            optimizer_config=str(group["optimizer_config"].asstr()[()]),
            private=[_read_private(private[str(rank)]) for rank in range(len(private))],
            facts=_read_facts(file),
        )


def _fill(partial: Path, snapshot: Snapshot) -> None:
    with ClosableFile(
        partial
    ) as raw:  # HDF5 crashes the process when it closes a file on a full disk
        with h5py.File(raw, "w", userblock_size=BLOCK_BYTES) as file:
            keras_h5.write_model(
                file, snapshot.architecture, snapshot.keras_version, snapshot.weights
            )
            _write_own(file.create_group("ddl"), snapshot)
        raw.check()
        block = _block(raw.fileno(), os.fstat(raw.fileno()).st_size)
        raw.seek(0)
        raw.write(block)
        raw.check()


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
    return checked_facts(parse_json(file["ddl/facts"].asstr()[()]))


def _strange(path: Path, error: Exception) -> ValueError:
    """Return the error about a file whose checksum is right, but whose contents are not those of a checkpoint."""
    why = " ".join(str(error).split())[:160] or type(error).__name__
    return ValueError(
        f"Received: {path}, whose contents are not those of a ddl checkpoint ({type(error).__name__}: {why}). "
        "Expected: a file from a run's checkpoints folder; use the one before it."
    )


def _damage(block: bytes, size: int, descriptor: int) -> str:
    """Return the damage found in a file, "" for none."""
    line = re.match(rb"ddl checkpoint (\d+) sha256=[0-9a-f]{64} size=(\d+)\n", block)
    if line and int(line[1]) != FORMAT:
        return f"it has format {int(line[1])}, but this version of ddl reads {FORMAT}; or its first line is damaged"
    if line and int(line[2]) != size:
        return f"{size} bytes instead of {int(line[2])}"
    return "" if block == _block(descriptor, size) else "its checksum does not match"


def _block(descriptor: int, size: int) -> bytes:
    """Return the 512-byte header that matches the contents of the file."""
    digest, at = hashlib.sha256(), BLOCK_BYTES
    while piece := os.pread(descriptor, _READ_BYTES, at):
        digest.update(piece)
        at += len(piece)
    text = _MARK + f"{FORMAT} sha256={digest.hexdigest()} size={size}\n".encode()
    return text.ljust(BLOCK_BYTES, b"\0")
