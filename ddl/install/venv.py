"""The checkout's virtual environment, and the stamp file in it that records finished stages."""

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
from ddl.install.step_lines import step


class Stamp:
    """The finished stages of an environment's setup, each with a digest of its inputs.

    A `running` entry names an interrupted stage: the environment may hold a half-installed package.
    Without a path nothing is recorded: for an existing environment only pip knows what it holds.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.path = path
        self.stages: dict[str, str] = {}
        if path is not None and path.exists():
            self.stages = json.loads(path.read_text())

    def is_done(self, stage: str, digest: str) -> bool:
        """Return whether the stage was finished with these inputs."""
        return self.stages.get(stage) == digest

    @contextmanager
    def stage(self, name: str, digest: str) -> Iterator[None]:
        """Record that a stage is running, and after its body, that it is done."""
        self._write({k: v for k, v in self.stages.items() if k != name} | {"running": name})
        yield
        self.stages.pop("running", None)
        self._write(self.stages | {name: digest})

    def _write(self, stages: dict[str, str]) -> None:
        self.stages = stages
        if self.path is not None:
            cache.write_json(self.path, stages)


def stamp_of(venv: Path) -> Stamp:
    """Return the stamp of an environment that setup created or is about to create."""
    return Stamp(venv / "ddl-setup.json")


def make(venv: Path) -> Stamp:
    """Return the stamp of a usable environment at `venv`, and create or recreate it if needed.

    It is recreated if its setup was interrupted in a stage that changes packages, or if it was created by
    another Python or in another folder (its scripts hold absolute paths).
    """
    made_by = cache.digest([str(venv), os.path.realpath(sys.executable), sys.version])
    _remove_leftovers(venv)
    if venv.exists():
        stamp = stamp_of(venv)
        is_whole = "running" not in stamp.stages and (venv / "bin/python").exists()
        if is_whole and stamp.is_done("venv", made_by):
            return stamp
        if not stamp.stages and any(venv.iterdir()):
            raise Problem(
                f"{venv} exists but was not created by this setup: remove it, choose another "
                "folder with DDL_VENV, or install into it with `python -m ddl.install`."
            )
        venv.rename(venv.with_name(f"{venv.name}.old-{os.getpid()}"))
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
            f"{sys.executable} cannot create a virtual environment: install its modules venv and "
            "ensurepip (Debian: `apt-get install python3-venv`), or set DDL_PYTHON to another Python. "
            f"Its output: {' '.join(output.split())[-300:]}"
        )


def _remove_leftovers(venv: Path) -> None:
    """Delete environments renamed for deletion, including those of a setup that was killed meanwhile."""
    for old in venv.parent.glob(f"{venv.name}.old-*"):
        shutil.rmtree(old, ignore_errors=True)
