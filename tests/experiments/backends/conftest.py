"""A server that the tests of this folder share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.experiments.beds.sshd import Sshd, running_sshd


@pytest.fixture(scope="session")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    """Start an ssh server for this session."""
    with running_sshd(tmp_path_factory.mktemp("sshd") / "bed") as node:
        yield node
