"""The image's entry point rejects bad or unsafe settings in one line with status 2."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ENTRYPOINT = Path(__file__).resolve().parents[2] / "docker/entrypoint.sh"

needs_keygen = pytest.mark.skipif(not shutil.which("ssh-keygen"), reason="no ssh-keygen on PATH")


@pytest.fixture
def start(tmp_path):
    (tmp_path / "state").mkdir()

    def run(*command, **environ):
        places = {"DDL_KEY": f"{tmp_path}/id_ed25519", "DDL_STATE": f"{tmp_path}/state"}
        return subprocess.run(
            [ENTRYPOINT, *command],
            env={**os.environ, **places, **environ},
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )

    return run


def refusal(result) -> str:
    assert result.returncode == 2, result.stdout + result.stderr
    (line,) = result.stderr.splitlines()
    assert "Received: " in line
    assert "Expected: " in line
    return line


def test_without_a_command_it_prints_its_help(start):
    result = start()
    assert result.returncode == 0
    for word in (
        "worker",
        "train",
        "make-key",
        "HOSTS=",
        "SSH_PORT=12345",
        "WAIT_S=60",
        "RUN_DIR=",
    ):
        assert word in result.stdout
    assert "set -" not in result.stdout


def test_any_other_command_runs_unchanged(start):
    result = start("sh", "-c", "echo $1; exit 7", "-", "a b")
    assert (result.returncode, result.stdout) == (7, "a b\n")


def test_run_starts_a_json_file_on_np_ranks(start, tmp_path):
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("python", "mpirun"):
        (programs / name).write_text(f'#!/bin/sh\necho {name} "$@"\n')
        (programs / name).chmod(0o755)
    path = f"{programs}{os.pathsep}{os.environ['PATH']}"
    script = f"{ENTRYPOINT.parent}/../scripts/run.py --config=x.json"
    assert start("run", "--config=x.json", PATH=path).stdout == f"python -u {script}\n"
    ranks = start("run", "--config=x.json", PATH=path, NP="3").stdout
    assert ranks == f"mpirun -np 3 --bind-to none --oversubscribe python -u {script}\n"
    assert "NP=none" in refusal(start("run", "--config=x.json", PATH=path, NP="none"))


def test_no_key(start):
    assert "no file" in refusal(start("train", HOSTS="a:1"))


def test_a_key_that_others_may_read(start, tmp_path):
    key = tmp_path / "id_ed25519"
    key.write_text("")
    for mode in (0o644, 0o640, 0o601):
        key.chmod(mode)
        assert f"with mode {mode:o}" in refusal(start("train", HOSTS="a:1"))


@needs_keygen
def test_a_file_without_a_key(start, tmp_path):
    (tmp_path / "id_ed25519").write_text("no key")
    (tmp_path / "id_ed25519").chmod(0o600)
    assert "without a passphrase" in refusal(start("true"))


@pytest.mark.parametrize("name", ["SSH_PORT", "WAIT_S"])
def test_settings_that_are_not_numbers(start, name):
    assert f"{name}=x" in refusal(start("true", **{name: "x"}))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root is refused")
def test_a_worker_as_root(start):
    assert "user root" in refusal(start("worker"))


@needs_keygen
def test_only_hosts_with_the_shared_key_are_trusted(start, tmp_path):
    made = start("make-key")
    assert made.returncode == 0
    assert (tmp_path / "id_ed25519").stat().st_mode & 0o077 == 0
    assert "exists already" in start("make-key").stdout
    assert start("true").returncode == 0
    public = (tmp_path / "id_ed25519.pub").read_text().split()[:2]
    known = (tmp_path / "state/known_hosts").read_text()
    assert known.split()[:4] == ["@cert-authority", "*", *public]


@needs_keygen
@pytest.mark.skipif(not shutil.which("ssh"), reason="no ssh on PATH")
def test_a_worker_that_does_not_answer_is_named(start):
    start("make-key")
    line = refusal(start("train", HOSTS="localhost:1,127.0.0.77:1", WAIT_S="0", SSH_PORT="9"))
    assert "answers at 127.0.0.77, port 9" in line
