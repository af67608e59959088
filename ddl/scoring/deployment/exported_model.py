"""Read an exported model for a deployment."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from ddl.inference.trained_model import check_takes_pictures, find_model
from ddl.scoring.in_database.network import digest

_PIECE = re.compile(rb'\boffset="(\d+)"[^<>]*?\bsize="(\d+)"')  # position of a constant in the .bin
# PostgreSQL refuses messages of 1 GiB (1,073,741,824 bytes) and more.
_MESSAGE_LIMIT = 1_000_000_000


@dataclass(frozen=True)
class Parts:
    """A model as stored in the database: the content of its .xml, .bin and .preprocessing.json files."""

    network: bytes
    weights: bytes
    preprocessing: str

    @property
    def checksum(self) -> str:
        """SHA-256 of the model."""
        return digest(self.network, self.weights, self.preprocessing)


def read_parts(path: Path) -> Parts:
    """Read an exported model.

    Raises:
        ValueError: not an OpenVINO export, or a model that does not take pictures.
    """
    if path.suffix.lower() != ".xml":
        raise ValueError(f"Received: model={path}. Expected: NAME.xml from scripts/export.py.")
    model = find_model(path)
    check_takes_pictures(model)
    how = model.preprocessing
    if how.conversion() is None:
        raise ValueError(
            f"Received: a model of {how.axes} axes and {how.channels} channels. Expected: a model of grey, RGB or RGBA "
            "pictures; use scripts/predict.py for others."
        )
    parts = Parts(path.read_bytes(), path.with_suffix(".bin").read_bytes(), how.to_json())
    if len(parts.network) + len(parts.weights) > _MESSAGE_LIMIT:
        raise ValueError(
            f"Received: {path} of {len(parts.weights)} bytes. Expected: at most {_MESSAGE_LIMIT}, the limit of "
            "PostgreSQL."
        )
    _check_weights(path, parts)
    return parts


def _check_weights(path: Path, parts: Parts) -> None:
    """Refuse a .bin that is shorter than the network needs, for example after an interrupted copy."""
    needed = max(
        (int(start) + int(size) for start, size in _PIECE.findall(parts.network)), default=0
    )
    if len(parts.weights) < needed:
        raise ValueError(
            f"Received: {path.with_suffix('.bin')} of {len(parts.weights)} bytes, which is truncated. "
            f"Expected: {needed} bytes, as scripts/export.py wrote; copy it again."
        )
