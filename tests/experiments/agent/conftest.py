"""The packed agent, once; a world for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ddl.experiments.agent.pack import pack
from tests.experiments.agent.worlds import World, pythons


@pytest.fixture(scope="session")
def agent(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the packed agent."""
    path = tmp_path_factory.mktemp("agent") / "agent.pyz"
    pack(path)
    return path


@pytest.fixture
def world(tmp_path: Path, agent: Path) -> Iterator[World]:
    """Return a world of the oldest Python; what runs in it ends with the test."""
    world = World(tmp_path, agent, pythons()[0])
    try:
        yield world
    finally:
        world.close()


@pytest.fixture(params=pythons())
def any_world(request: pytest.FixtureRequest, tmp_path: Path, agent: Path) -> Iterator[World]:
    """Return a world of each Python that is here."""
    world = World(tmp_path, agent, request.param)
    try:
        yield world
    finally:
        world.close()
