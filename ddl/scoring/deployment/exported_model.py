"""An exported model as it is sent to a database: read whole, and tried before it is sent."""

from __future__ import annotations

import importlib.util
import re
from dataclasses import dataclass
from pathlib import Path

from ddl.inference.trained_model import find_model
from ddl.scoring.in_database.checksum import digest
from ddl.scoring.in_database.network import open_network

_PIECE = re.compile(rb'\boffset="(\d+)"[^<>]*?\bsize="(\d+)"')  # of a constant, in the .bin
_MESSAGE_LIMIT = 1_000_000_000  # bytes of a message to PostgreSQL, a little less than its gigabyte


@dataclass(frozen=True)
class Parts:
    """A model as it lies in the registry.

    Attributes:
        network: the .xml.
        weights: the .bin.
        preprocessing: JSON.
    """

    network: bytes
    weights: bytes
    preprocessing: str

    @property
    def checksum(self) -> str:
        """A text that no other model has."""
        return digest(self.network, self.weights, self.preprocessing)


def read_parts(path: Path) -> Parts:
    """Return an exported model.

    Raises:
        ValueError: it is none, or none that takes pictures.
    """
    if path.suffix.lower() != ".xml":
        raise ValueError(f"Received: model={path}. Expected: NAME.xml of scripts/export.py.")
    model = find_model(path)
    how = model.preprocessing
    if how.conversion() is None:
        raise ValueError(
            f"Received: a model of {how.axes} axes and {how.channels} channels. Expected: one of pictures: grey, RGB "
            "or RGBA; others go through scripts/predict.py."
        )
    parts = Parts(path.read_bytes(), path.with_suffix(".bin").read_bytes(), how.to_json())
    if len(parts.network) + len(parts.weights) > _MESSAGE_LIMIT:
        raise ValueError(
            f"Received: {path} of {len(parts.weights)} bytes. Expected: at most {_MESSAGE_LIMIT}, which "
            "PostgreSQL takes."
        )
    _check_weights(path, parts)
    return parts


def _check_weights(path: Path, parts: Parts) -> None:
    """Refuse weights that end before what the network reads of them, such as of a copy that was broken off."""
    needed = max(
        (int(start) + int(size) for start, size in _PIECE.findall(parts.network)), default=0
    )
    if len(parts.weights) < needed:
        raise ValueError(
            f"Received: {path.with_suffix('.bin')} of {len(parts.weights)} bytes, weights that are too short. "
            f"Expected: {needed} bytes, as scripts/export.py wrote; copy it again."
        )


def try_parts(parts: Parts) -> None:
    """Open the network here, where OpenVINO is, before a gigabyte is sent for nothing.

    Raises:
        ValueError: it cannot be opened.
    """
    if importlib.util.find_spec("openvino") is not None:
        open_network(parts.network, parts.weights)
