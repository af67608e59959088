"""What this machine provides: Python, compiler, GPU, disk, cores and memory."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ddl.distributed.job import launcher
from ddl.install.problem import Problem
from ddl.machine import available_memory_bytes

PYTHON_RANGE = ((3, 10), (3, 13))
"""Python versions for which TensorFlow 2.21 has wheels."""

# Compiling one file that includes TensorFlow's headers takes up to 1.7 GB.
_BYTES_PER_JOB = 2 * 2**30


@dataclass(frozen=True)
class Compiler:
    """The C++ compiler that CMake will choose, and the version it reports."""

    path: str
    version: str


def check_python(
    version: tuple[int, ...] = sys.version_info[:2], executable: str = sys.executable
) -> None:
    """Raise Problem for a Python version that TensorFlow does not support."""
    oldest, newest = PYTHON_RANGE
    if not oldest <= version[:2] <= newest:
        raise Problem(
            f"{executable} is Python {version[0]}.{version[1]}, but TensorFlow 2.21 requires "
            f"{oldest[0]}.{oldest[1]} to {newest[0]}.{newest[1]}: set DDL_PYTHON=/path/to/python3.11."
        )


def find_compiler(environ: Mapping[str, str] = os.environ) -> Compiler | None:
    """Return the compiler that CMake would find, or None without a compiler or `make`."""
    names = [environ["CXX"]] if environ.get("CXX") else ["c++", "g++", "clang++"]
    search = environ.get("PATH", "")
    paths = (shutil.which(name.split()[0], path=search) for name in names)
    path = next(filter(None, paths), None)
    if path is None or shutil.which("make", path=search) is None:
        return None
    return Compiler(os.path.realpath(path), first_line([path, "--version"]))


def missing_compiler() -> Problem:
    """Return the error for a machine that cannot build Horovod."""
    return Problem(
        "found no C++17 compiler with make on PATH (looked for $CXX, c++, g++, clang++) and no matching Horovod wheel "
        "in the cache: install a compiler (`apt-get install g++ make`, `module load gcc`) or set CXX."
    )


def accelerator(environ: Mapping[str, str] = os.environ, proc: Path = Path("/proc")) -> str:
    """Return "gpu" or "cpu": DDL_ACCELERATOR if set, else by whether there is an NVIDIA GPU."""
    asked = environ.get("DDL_ACCELERATOR", "")
    if asked in ("gpu", "cpu"):
        return asked
    if asked:
        raise Problem(f"unknown value DDL_ACCELERATOR={asked}: set it to gpu or cpu, or unset it.")
    gpus = proc / "driver/nvidia/gpus"
    return "gpu" if gpus.is_dir() and any(gpus.iterdir()) else "cpu"


def check_space(folder: Path, needed_bytes: int, purpose: str) -> None:
    """Raise Problem if the disk of `folder` has too little space; the folder need not exist yet."""
    existing = next(parent for parent in (folder, *folder.parents) if parent.exists())
    free_bytes = shutil.disk_usage(existing).free
    if free_bytes < needed_bytes:
        raise Problem(
            f"{existing} has {free_bytes / 1e9:.1f} GB free, but {purpose} needs {needed_bytes / 1e9:.1f} GB: free "
            "some space, or use another disk with DDL_CACHE_DIR (cache) and DDL_VENV (environment)."
        )


def build_jobs() -> int:
    """Return the number of parallel compiler jobs: one per core, limited by memory."""
    return max(1, min(launcher.usable_cores(), available_memory_bytes() // _BYTES_PER_JOB))


def first_line(command: list[str]) -> str:
    """Return the first line of a command's output, or "" if it prints nothing or cannot start."""
    try:
        result = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return (result.stdout.strip().splitlines() or [""])[0]
