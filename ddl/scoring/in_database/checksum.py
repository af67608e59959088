"""Checksum of a deployed model. Standard library only."""

from __future__ import annotations

import hashlib


def digest(network: bytes, weights: bytes, preprocessing: str) -> str:
    """Return the SHA-256 of a model."""
    checksum = hashlib.sha256()
    for part in (network, weights, preprocessing.encode()):
        # The length in front keeps two models apart whose parts differ only in where one ends.
        checksum.update(len(part).to_bytes(8, "big"))
        checksum.update(part)
    return checksum.hexdigest()
