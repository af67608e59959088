"""A killed export leaves a hidden folder, and the next export beside it removes that one alone."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from ddl.export.scratch import is_abandoned, scratch_folder
from tests.launch import REPOSITORY

EXPORT = """
import sys
from pathlib import Path
from ddl.export.scratch import scratch_folder
with scratch_folder(Path(sys.argv[1])) as folder:
    (folder / "cells.bin").write_text("half a model")
    print(folder, flush=True)
    sys.stdin.read()
"""


def start(parent: Path) -> tuple[subprocess.Popen[str], Path]:
    """Start a process that exports into a folder until it is killed; return it and its temporary folder."""
    job = subprocess.Popen(
        [sys.executable, "-c", EXPORT, str(parent)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=REPOSITORY,
    )  # fmt: skip
    assert job.stdout is not None
    return job, Path(job.stdout.readline().strip())


def test_a_kill_9_of_an_export_leaves_a_folder_that_the_next_export_removes(tmp_path: Path) -> None:
    (killed, left), (running, used) = start(tmp_path), start(tmp_path)
    killed.kill()
    killed.communicate()
    assert (left / "cells.bin").exists()
    with scratch_folder(tmp_path) as mine:
        assert set(tmp_path.iterdir()) == {mine, used}
    assert (used / "cells.bin").exists()
    running.communicate()
    assert list(tmp_path.iterdir()) == []


def test_what_no_export_has_made_stays(tmp_path: Path) -> None:
    (tmp_path / ".export-list").write_text("a file")
    (tmp_path / ".export-mine").mkdir()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / ".lock").write_text("")
    (tmp_path / ".export-link").symlink_to(elsewhere)
    assert is_abandoned(elsewhere)
    before = set(tmp_path.rglob("*"))
    with scratch_folder(tmp_path):
        pass
    assert set(tmp_path.rglob("*")) == before
