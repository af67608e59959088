"""Servers that the tests of this folder share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.experiments.backends.slurm_store import SlurmStore
from tests.experiments.beds.slurm import SlurmBed
from tests.experiments.beds.sshd import Sshd, running_sshd


@pytest.fixture(scope="session")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    """Start an ssh server for this session."""
    with running_sshd(tmp_path_factory.mktemp("sshd") / "bed") as node:
        yield node


@pytest.fixture(scope="session")
def slurm_bed() -> Iterator[SlurmBed]:
    """Start Slurm for this session: two nodes of four cores, that gives up on a hung controller after 2 s."""
    with SlurmBed(cores=4, settings={"MessageTimeout": 2}) as bed:
        yield bed


@pytest.fixture
def slurm(
    slurm_bed: SlurmBed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., SlurmStore]]:
    """Return what makes a store on the session's Slurm; its jobs are cancelled afterwards."""
    (tmp_path / "home").mkdir()
    for name, value in slurm_bed.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("DDL_NODE_HOME", str(tmp_path / "home" / "node"))
    yield lambda folder="store", **node: SlurmStore(slurm_bed, tmp_path / folder, **node)
    slurm_bed.cancel_all()
