"""./setup.sh rejects bad input in one line with status 2 and leaves no partial environment."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ddl.install import step_lines
from ddl.install.problem import Failure, Problem

REPOSITORY = Path(__file__).resolve().parents[2]


def setup(tmp_path, *arguments, **environ):
    env = {
        **os.environ,
        "DDL_CACHE_DIR": str(tmp_path / "cache"),
        "DDL_VENV": str(tmp_path / "venv"),
    }
    env |= {"DDL_PYTHON": sys.executable, **environ}
    command = [shutil.which("bash"), str(REPOSITORY / "setup.sh"), *arguments]
    return subprocess.run(command, env=env, capture_output=True, text=True, timeout=60, check=False)


def refusal(result) -> str:
    """Return the single error line."""
    assert result.returncode == 2
    (line,) = result.stderr.strip().splitlines()
    return line


def fake_python(folder: Path, version: str) -> str:
    """Write a fake `python` that prints its version and fails the version check."""
    path = folder / "python"
    path.write_text(
        f"#!/bin/sh\n[ \"$1\" = --version ] && echo 'Python {version}' && exit\nexit 1\n"
    )
    path.chmod(0o755)
    return str(path)


def test_no_python(tmp_path):
    assert "python9 is not on PATH" in refusal(setup(tmp_path, DDL_PYTHON="python9"))


def test_a_python_too_old(tmp_path):
    line = refusal(setup(tmp_path, DDL_PYTHON=fake_python(tmp_path, "2.7.18")))
    assert "is Python 2.7.18, but Python 3.10 to 3.13 is required: set DDL_PYTHON to one" in line


def test_no_compiler(tmp_path):
    """Before anything is downloaded or written."""
    for name in ("bash", "dirname"):
        (tmp_path / "bin").mkdir(exist_ok=True)
        (tmp_path / "bin" / name).symlink_to(shutil.which(name))
    line = refusal(setup(tmp_path, PATH=str(tmp_path / "bin")))
    assert "found no C++17 compiler with make on PATH" in line
    assert "apt-get install g++ make" in line
    assert not (tmp_path / "venv").exists()


def test_an_unknown_accelerator(tmp_path):
    assert "set it to gpu or cpu" in refusal(setup(tmp_path, DDL_ACCELERATOR="tpu"))


def test_a_complete_environment_stays_as_it_is(tmp_path):
    """As in a read-only container image without a compiler."""
    (tmp_path / "venv/bin").mkdir(parents=True)
    (tmp_path / "venv/bin/python").symlink_to(sys.executable)
    result = setup(tmp_path, DDL_SETUP="done", DDL_PYTHON="python9")
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
    assert not (tmp_path / "cache").exists()


def test_a_complete_environment_that_is_missing(tmp_path):
    assert "has no Python: unset DDL_SETUP" in refusal(setup(tmp_path, DDL_SETUP="done"))
    assert "unknown value DDL_SETUP=skip" in refusal(setup(tmp_path, DDL_SETUP="skip"))


def test_a_folder_that_setup_did_not_create(tmp_path):
    (tmp_path / "venv").mkdir()
    (tmp_path / "venv/file").touch()
    assert "choose another folder with DDL_VENV" in refusal(setup(tmp_path))
    assert (tmp_path / "venv/file").exists()


def test_a_python_without_venv(tmp_path):
    """As on Debian without python3-venv: a fake module `venv` fails."""
    (tmp_path / "venv.py").write_text("raise SystemExit('ensurepip is not available')")
    line = refusal(setup(tmp_path, PYTHONPATH=str(tmp_path)))
    assert "apt-get install python3-venv" in line
    assert "ensurepip is not available" in line


def test_a_failed_command_shows_the_end_of_its_log(tmp_path):
    command = ["sh", "-c", "seq 100; exit 3"]
    with pytest.raises(Failure, match=r"counting failed; .*log:\n  \| 71\n") as failure:
        step_lines.run_logged("counting", command, tmp_path / "log")
    assert failure.value.exit_status == 1
    assert str(tmp_path / "log") in str(failure.value)


def test_a_full_disk_is_named(tmp_path):
    command = ["sh", "-c", "echo 'OSError: [Errno 28] No space left on device'; exit 1"]
    with pytest.raises(Problem, match="no space left on the disk of") as problem:
        step_lines.run_logged("writing", command, tmp_path / "log")
    assert problem.value.exit_status == 2


def test_a_long_command_reports_its_progress(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(step_lines, "REPORT_EVERY_S", 0.5)
    command = ["sh", "-c", "echo '[ 42%] Building'; sleep 2; echo done"]
    step_lines.run_logged("building", command, tmp_path / "log")
    assert "building: 1 s, 42%" in capsys.readouterr().out


def test_commands_die_with_setup(tmp_path):
    """An orphaned pip would write into the environment of the next attempt."""
    code = (
        "import os, pathlib, threading; from ddl.install import step_lines; "
        "threading.Timer(1, lambda: os.kill(os.getpid(), 9)).start(); "
        f"step_lines.run_logged('x', ['sh', '-c', 'echo $$; exec sleep 60'], pathlib.Path({str(tmp_path / 'log')!r}))"
    )
    subprocess.run([sys.executable, "-c", code], check=False, timeout=30)
    child = int((tmp_path / "log").read_text().splitlines()[-1])
    deadline = time.monotonic() + 10
    while _runs(child) and time.monotonic() < deadline:  # the kernel's signal is on its way
        time.sleep(0.05)
    assert not _runs(child)


def _runs(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except (OSError, IndexError):
        return False
    return state != "Z"
