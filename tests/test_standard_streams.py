"""Standard output that is closed or full: no traceback, no file in its place, and lost results are an error."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.launch import REPOSITORY

PROGRAM = """
import contextlib, logging, os, sys
from ddl.standard_streams import end_output, secure_streams
secure_streams()
logging.basicConfig(format="%(message)s", level=logging.INFO, stream=sys.stdout)
file = open(sys.argv[1], "w")
assert file.fileno() > 2
with contextlib.suppress(OSError):
    os.write(1, b"from C\\n")
for number in range(3):
    logging.getLogger("ddl").info("line %d %s", number, "x" * 9000)
    print("printed \\udcff")
sys.stdout.flush()
file.write("mine")
file.close()
sys.exit(end_output("program") if len(sys.argv) > 2 else 0)
"""


def run(redirection: str, folder: Path, *more: str) -> subprocess.CompletedProcess[str]:
    words = " ".join(more)
    command = f'"{sys.executable}" -c "$0" "{folder}/file" {words} {redirection}'
    return subprocess.run(
        ["bash", "-c", command, PROGRAM],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=REPOSITORY,
        check=False,
    )


@pytest.mark.parametrize("redirection", [">&-", "2>&-", "<&-", ">&- 2>&-", "> /dev/full", "| true"])
def test_stdout_closed_or_full_gives_no_traceback_and_no_file_takes_its_place(
    tmp_path: Path, redirection: str
) -> None:
    done = run(redirection, tmp_path)
    assert done.returncode == 0
    assert "Traceback" not in done.stderr
    assert "Logging error" not in done.stderr
    assert (tmp_path / "file").read_text() == "mine"


def test_a_full_output_is_told_once(tmp_path: Path) -> None:
    done = run("> /dev/full", tmp_path)
    assert done.stderr == (
        "Could not write to standard output: No space left on device. The work continues.\n"
    )


@pytest.mark.parametrize(
    ("redirection", "why"),
    [("> /dev/full", "No space left on device"), (">&-", "it is closed"), ("", "")],
)
def test_results_that_cannot_be_written_to_stdout_are_an_error(
    tmp_path: Path, redirection: str, why: str
) -> None:
    done = run(redirection, tmp_path, "results")
    assert done.returncode == bool(why)
    line = f"program: Could not write the results to standard output: {why}."
    assert (line in done.stderr) == bool(why)


def test_a_name_of_bytes_that_are_not_utf_8_can_be_printed(tmp_path: Path) -> None:
    done = run("", tmp_path)
    assert done.stdout.count("printed \\udcff\n") == 3


def test_a_plan_that_cannot_be_printed_is_an_error(tmp_path: Path) -> None:
    words = "scripts/train_unet.py --data synthetic --dry-run --run-dir"
    done = subprocess.run(
        ["bash", "-c", f'"{sys.executable}" {words} "{tmp_path}/run" > /dev/full'],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=REPOSITORY,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("train_unet: Could not write the results to st")
    assert "Traceback" not in done.stderr
