"""A machine with the packed agent, for tests of what it watches."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ddl.experiments.agent.pack import pack
from tests.experiments.agent.worlds import World, pythons


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """Return a store and a machine; what runs there ends with the test."""
    agent = tmp_path / "agent.pyz"
    pack(agent)
    world = World(tmp_path, agent, pythons()[0])
    try:
        yield world
    finally:
        world.close()
