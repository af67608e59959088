"""Small snapshots, made without a model, and a count of the checkpoint files that are hashed."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ddl.training.checkpoint.checkpoint_file import BLOCK_BYTES, Snapshot


@pytest.fixture
def hashed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the files whose checksum was computed, once for every time."""
    names: list[str] = []
    pread = os.pread

    def noted(descriptor: int, count: int, at: int) -> bytes:
        if at == BLOCK_BYTES:
            names.append(Path(f"/proc/self/fd/{descriptor}").readlink().name)
        return pread(descriptor, count, at)

    monkeypatch.setattr(os, "pread", noted)
    return names


def make_snapshot(epoch: int = 1, step: int = 0, count: int = 100, **facts: Any) -> Snapshot:
    """Return a snapshot whose arrays hold `count` numbers each, of every dtype that Keras has."""
    import ml_dtypes  # registers bfloat16

    rng = np.random.default_rng(epoch)
    narrow = rng.integers(0, 2**16, (2, 3), np.uint16).view(ml_dtypes.bfloat16)  # also NaNs
    return Snapshot(
        architecture='{"class_name": "Functional", "config": {}}',
        keras_version="3.0.0",
        weights=[
            ("input", []),
            ("dense", [("dense/kernel", rng.normal(size=(2, count)).astype("f4"))]),
            ("inner", [("a/b", np.zeros((), "f2")), ("a/b", narrow), ("a", np.ones(2, bool))]),
        ],
        optimizer=[
            ("adam/iteration", np.array(7, np.int64)),
            ("adam/momentum", rng.normal(size=count)),
        ],
        optimizer_class="Adam",
        optimizer_config="{}",
        private=[{"seed/0": np.array([1, 2], np.uint32)}, {}],
        facts={"position": {"epoch": epoch, "step": step}, "history": [], **facts},
    )


def assert_equal(one: Snapshot, two: Snapshot) -> None:
    """Compare two snapshots bit for bit."""
    assert [arrays(one, names) for names in (False, True)][1] == arrays(two, True)
    for a, b in zip(arrays(one), arrays(two), strict=True):
        assert (a.dtype, a.shape, a.tobytes()) == (b.dtype, b.shape, b.tobytes())
    for name in ("architecture", "keras_version", "optimizer_class", "optimizer_config", "facts"):
        assert getattr(one, name) == getattr(two, name)


def arrays(snapshot: Snapshot, names: bool = False) -> list[Any]:
    """Return all arrays of a snapshot, or their names."""
    pairs = [pair for _, weights in snapshot.weights for pair in weights] + snapshot.optimizer
    pairs += [pair for private in snapshot.private for pair in private.items()]
    return [pair[not names] for pair in pairs]
