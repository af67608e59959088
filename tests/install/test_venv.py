"""A complete environment is kept, an incomplete one is recreated, and other folders are left alone."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from ddl.install import venv
from ddl.install.problem import Problem


@pytest.fixture(autouse=True)
def fake_venv(monkeypatch):
    """Create environments of one file: `python -m venv` itself is not under test."""

    def create(folder: Path) -> None:
        (folder / "bin").mkdir()
        (folder / "bin/python").symlink_to(sys.executable)

    monkeypatch.setattr(venv, "_create", create)


def test_a_complete_environment_is_kept(tmp_path):
    venv.make(tmp_path / "venv")
    (tmp_path / "venv/mine").touch()
    venv.make(tmp_path / "venv")
    assert (tmp_path / "venv/mine").exists()


def test_finished_stages_are_remembered(tmp_path):
    with venv.make(tmp_path / "venv").stage("packages", "abc"):
        pass
    stamp = venv.make(tmp_path / "venv")
    assert stamp.is_done("packages", "abc")
    assert not stamp.is_done("packages", "abd")


def test_an_environment_killed_in_a_stage_is_recreated(tmp_path):
    pid = os.fork()
    if pid == 0:
        with venv.make(tmp_path / "venv").stage("packages", "abc"):
            (tmp_path / "venv/half-a-package").touch()
            os._exit(137)  # like kill -9: no cleanup
    os.waitpid(pid, 0)
    stamp = venv.make(tmp_path / "venv")
    assert not (tmp_path / "venv/half-a-package").exists()
    assert not stamp.is_done("packages", "abc")
    assert [path.name for path in tmp_path.iterdir()] == ["venv"]


def test_a_moved_environment_is_recreated(tmp_path):
    venv.make(tmp_path / "venv")
    (tmp_path / "venv").rename(tmp_path / "moved")
    (tmp_path / "moved/mine").touch()
    venv.make(tmp_path / "moved")
    assert not (tmp_path / "moved/mine").exists()


def test_an_environment_without_its_python_is_recreated(tmp_path):
    venv.make(tmp_path / "venv")
    (tmp_path / "venv/bin/python").unlink()
    venv.make(tmp_path / "venv")
    assert (tmp_path / "venv/bin/python").exists()


def test_a_folder_that_setup_did_not_create_is_refused_and_kept(tmp_path):
    (tmp_path / "venv").mkdir()
    (tmp_path / "venv/thesis.tex").touch()
    with pytest.raises(Problem, match="was not created by this setup"):
        venv.make(tmp_path / "venv")
    assert (tmp_path / "venv/thesis.tex").exists()
