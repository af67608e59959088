"""A lab for each test: homes of its own, agents that hurry."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.experiments.engine.lab import Lab, lab_in


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lab]:
    """Return a lab on this machine."""
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("DDL_NODE_HOME", str(home / "node"))
    monkeypatch.setenv("DDL_AGENT_PACE", "0.1")
    for name in ("DDL_STORE", "XDG_CONFIG_HOME", "XDG_RUNTIME_DIR", "DDL_FAULT"):
        monkeypatch.delenv(name, raising=False)
    yield from lab_in(tmp_path)
