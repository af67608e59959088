"""What git says of a folder, without a trace of the asking."""

from __future__ import annotations

import subprocess

import pytest

from ddl.git import ask_git, git_text


@pytest.fixture
def repository(tmp_path):
    """Return a repository with a staged file."""
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    (tmp_path / "a.py").write_text("")
    subprocess.run(["git", "-C", str(tmp_path), "add", "a.py"], check=True)
    return tmp_path


def test_output_is_bytes_or_text(repository):
    assert ask_git(repository, "ls-files") == b"a.py\n"
    assert git_text(repository, "ls-files") == "a.py"


def test_a_command_that_fails_says_none(repository, tmp_path):
    assert git_text(repository, "rev-parse", "--verify", "HEAD") is None
    assert git_text(tmp_path / "none", "ls-files") is None


def test_without_git_it_says_none(repository, monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    assert git_text(repository, "ls-files") is None


def test_a_hooks_variables_do_not_count(repository, monkeypatch, tmp_path):
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "other"))
    assert git_text(repository, "ls-files") == "a.py"


def test_git_that_hangs_is_given_up(repository):
    assert ask_git(repository, "-c", "alias.wait=!sleep 1", "wait", timeout_s=0.2) is None
