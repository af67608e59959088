"""What this machine offers for the work: Python, compiler, GPU, disk, cores and memory."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ddl.distributed import launcher
from ddl.install.problem import Problem
from ddl.machine import available_memory_bytes

PYTHON_RANGE = ((3, 10), (3, 13))
"""The Pythons that TensorFlow 2.21 has wheels for."""

_BYTES_PER_JOB = (
    2 * 2**30
)  # a translation unit that includes TensorFlow's headers takes up to 1.7 GB


@dataclass(frozen=True)
class Compiler:
    """The C++ compiler that CMake will take, and the version that it reports."""

    path: str
    version: str


def check_python(
    version: tuple[int, ...] = sys.version_info[:2], executable: str = sys.executable
) -> None:
    """Refuse a Python for which there is no TensorFlow."""
    oldest, newest = PYTHON_RANGE
    if not oldest <= version[:2] <= newest:
        raise Problem(
            f"{executable} is Python {version[0]}.{version[1]}, and TensorFlow 2.21 needs "
            f"{oldest[0]}.{oldest[1]} to {newest[0]}.{newest[1]}: name one with DDL_PYTHON=/path/to/python3.11."
        )


def find_compiler(environ: Mapping[str, str] = os.environ) -> Compiler | None:
    """Return the compiler that CMake would find, or None where there is none (or no `make`)."""
    names = [environ["CXX"]] if environ.get("CXX") else ["c++", "g++", "clang++"]
    search = environ.get("PATH", "")
    found = next(
        (path for name in names if (path := shutil.which(name.split()[0], path=search))), None
    )
    if found is None or shutil.which("make", path=search) is None:
        return None
    return Compiler(os.path.realpath(found), first_line([found, "--version"]))


def missing_compiler() -> Problem:
    """Return the problem of a machine that cannot build Horovod."""
    return Problem(
        "no C++17 compiler with make found on PATH (looked for $CXX, c++, g++, clang++), and no Horovod wheel that "
        "fits is cached: install one (`apt-get install g++ make`, `module load gcc`) or set CXX."
    )


def accelerator(environ: Mapping[str, str] = os.environ, proc: Path = Path("/proc")) -> str:
    """Return "gpu" or "cpu": what DDL_ACCELERATOR asks for, else whether an NVIDIA GPU is here."""
    asked = environ.get("DDL_ACCELERATOR", "")
    if asked in ("gpu", "cpu"):
        return asked
    if asked:
        raise Problem(f"DDL_ACCELERATOR={asked} is unknown: set it to gpu or cpu, or leave it out.")
    gpus = proc / "driver/nvidia/gpus"
    return "gpu" if gpus.is_dir() and any(gpus.iterdir()) else "cpu"


def check_space(folder: Path, needed_bytes: int, purpose: str) -> None:
    """Refuse to begin what the disk of `folder` (or of its nearest parent that exists) cannot hold."""
    existing = next(parent for parent in (folder, *folder.parents) if parent.exists())
    free_bytes = shutil.disk_usage(existing).free
    if free_bytes < needed_bytes:
        raise Problem(
            f"{existing} has {free_bytes / 1e9:.1f} GB free, and {purpose} needs {needed_bytes / 1e9:.1f} GB: free "
            "some, or choose another disk with DDL_CACHE_DIR (the cache) and DDL_VENV (the environment)."
        )


def build_jobs() -> int:
    """Return how many compilers may run at once: one a core, as far as memory goes."""
    return max(1, min(launcher.usable_cores(), available_memory_bytes() // _BYTES_PER_JOB))


def first_line(command: list[str]) -> str:
    """Return the first line that a command prints, "" where it prints none or fails to start."""
    try:
        result = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return (result.stdout.strip().splitlines() or [""])[0]
