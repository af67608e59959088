"""The checkout's own environment, and the stamp in it that says how far its setup came."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ddl.install import cache
from ddl.install.problem import Problem
from ddl.install.progress import step


class Stamp:
    """What has been done to an environment, each stage with the digest of what it was made from.

    A stage that `running` names was cut short: the environment may hold half a package. Without a
    path, nothing is remembered: pip alone knows what an existing environment holds.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.path = path
        self.stages: dict[str, str] = {}
        if path is not None and path.exists():
            self.stages = json.loads(path.read_text())

    def is_done(self, stage: str, digest: str) -> bool:
        """Return whether the stage was finished, from just these inputs."""
        return self.stages.get(stage) == digest

    @property
    def was_interrupted(self) -> bool:
        """Whether a stage was begun and not finished."""
        return "running" in self.stages

    @contextmanager
    def stage(self, name: str, digest: str) -> Iterator[None]:
        """Write down that a stage runs, and once its body is through, that it is done."""
        self._write({k: v for k, v in self.stages.items() if k != name} | {"running": name})
        yield
        self.stages.pop("running", None)
        self._write(self.stages | {name: digest})

    def _write(self, stages: dict[str, str]) -> None:
        self.stages = stages
        if self.path is not None:
            cache.write_json(self.path, stages)


def stamp_of(venv: Path) -> Stamp:
    """Return the stamp in an environment that setup made (or is about to make)."""
    return Stamp(venv / "ddl-setup.json")


def python_of(venv: Path) -> Path:
    """Return the environment's interpreter."""
    return venv / "bin/python"


def make(venv: Path) -> Stamp:
    """Return the stamp of a usable environment at `venv`, made anew where that is needed.

    It is needed when there is none, when its setup was cut short in a stage that changes packages, and
    when it was made by another Python or in another folder (its scripts hold absolute paths).
    """
    made_by = cache.digest([str(venv), os.path.realpath(sys.executable), sys.version])
    _remove_leftovers(venv)
    if venv.exists():
        stamp = stamp_of(venv)
        if (
            stamp.is_done("venv", made_by)
            and not stamp.was_interrupted
            and python_of(venv).exists()
        ):
            return stamp
        if not stamp.stages and any(venv.iterdir()):
            raise Problem(
                f"{venv} is there and was not made by this setup: remove it, or choose another "
                "folder with DDL_VENV, or install into it with `python -m ddl.install`."
            )
        venv.rename(_leftover(venv))
        _remove_leftovers(venv)
    venv.mkdir(parents=True)
    stamp = stamp_of(venv)
    with step(f"virtual environment {venv}"), stamp.stage("venv", made_by):
        _create(venv)
    return stamp


def _create(venv: Path) -> None:
    command = [sys.executable, "-m", "venv", str(venv)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode != 0:
        output = (result.stdout + result.stderr).strip()
        raise Problem(
            f"{sys.executable} cannot make a virtual environment: it needs the modules venv and "
            "ensurepip (Debian: `apt-get install python3-venv`), or another Python in DDL_PYTHON. "
            f"It said: {' '.join(output.split())[-300:]}"
        )


def _leftover(venv: Path) -> Path:
    return venv.with_name(f"{venv.name}.old-{os.getpid()}")


def _remove_leftovers(venv: Path) -> None:
    """Remove what was renamed to be deleted, also by a setup that was killed while deleting."""
    for old in venv.parent.glob(f"{venv.name}.old-*"):
        shutil.rmtree(old, ignore_errors=True)
