"""Ctrl-C while a command loads is one line, and a closed pipe is none; bugs keep their traceback."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ddl.command_ends import CLOSED_PIPE, INTERRUPTED
from tests.launch import REPOSITORY

SCRIPTS = sorted(path.stem for path in (REPOSITORY / "scripts").glob("*.py"))
# Python imports it before it runs the program. It presses Ctrl-C at the first of these imports.
PRESS = """
import os, signal, sys
class Finder:
    def find_spec(self, name, path=None, target=None):
        if name in ("numpy", "ddl.flags", "ddl.machine"):
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Finder())
"""


def run(
    words: list[str | Path], stdout: int = subprocess.PIPE, **variables: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *words], stdout=stdout, stderr=subprocess.PIPE, text=True, timeout=60,
        env=os.environ | variables, cwd=REPOSITORY, check=False,
    )  # fmt: skip


@pytest.fixture
def closed_pipe() -> Iterator[int]:
    """Yield the writing end of a pipe that nobody reads."""
    reading, writing = os.pipe()
    os.close(reading)
    yield writing
    os.close(writing)


@pytest.mark.parametrize("name", [*SCRIPTS, "doctor"])
def test_ctrl_c_while_a_command_loads_is_one_line(tmp_path: Path, name: str) -> None:
    (tmp_path / "sitecustomize.py").write_text(PRESS)
    program = ["-m", "ddl.doctor"] if name == "doctor" else [REPOSITORY / f"scripts/{name}.py"]
    done = run(program, PYTHONPATH=str(tmp_path))
    assert done.stderr == f"\n{name}: stopped by Ctrl-C.\n"
    assert (done.returncode, done.stdout) == (INTERRUPTED, "")


def test_one_rank_reports_ctrl_c_for_all(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(PRESS)
    rank = {"OMPI_COMM_WORLD_SIZE": "2", "OMPI_COMM_WORLD_RANK": "1"}
    done = run([REPOSITORY / "scripts/train_unet.py"], PYTHONPATH=str(tmp_path), **rank)
    assert (done.returncode, done.stderr) == (INTERRUPTED, "")


def test_head_of_a_script_ends_without_a_broken_pipe_traceback(closed_pipe: int) -> None:
    done = run([REPOSITORY / "scripts/train_unet.py", "--help"], closed_pipe)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_command_that_prints_much_into_a_closed_pipe_ends_in_silence(closed_pipe: int) -> None:
    done = run(
        ["-c", "import ddl.command_ends; print('much ' * 100_000); print('more')"], closed_pipe
    )
    assert (done.returncode, done.stderr) == (CLOSED_PIPE, "")


@pytest.mark.parametrize("bug", ["BrokenPipeError(32, 'of a socket')", "ValueError('a bug')"])
def test_bugs_keep_their_traceback(bug: str) -> None:
    done = run(["-c", f"import ddl.command_ends; raise {bug}"])
    assert done.returncode == 1
    assert done.stderr.startswith("Traceback")


def test_a_traceback_shows_names_as_they_are() -> None:
    done = run(["-c", r"import ddl.command_ends; raise OSError('a\x1b[31m\u202eb')"])
    assert r"OSError: a\x1b[31m\u202eb" in done.stderr
    assert "\x1b" not in done.stderr


def test_programs_that_are_no_commands_of_ours_keep_their_hooks() -> None:
    code = (
        "import sys, importlib.machinery as machinery\n"
        "sys.modules['__main__'].__spec__ = machinery.ModuleSpec('pytest.__main__', None)\n"
        "before = sys.excepthook; import ddl.command_ends; print(sys.excepthook == before)"
    )
    assert run(["-c", code]).stdout == "True\n"
