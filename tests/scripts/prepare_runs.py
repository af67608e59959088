"""Ways to run prepare_data from a test."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.launch import REPOSITORY
from tests.scripts.in_process import call

SCRIPT = REPOSITORY / "scripts" / "prepare_data.py"


def start(*arguments: str | Path, **options: object) -> subprocess.Popen[str]:
    command = [sys.executable, str(SCRIPT), *map(str, arguments)]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options
    )  # type: ignore[call-overload]


def run(*arguments: str | Path, **options: object) -> subprocess.CompletedProcess[str]:
    process = start(*arguments, **options)
    out, err = process.communicate(timeout=60)
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


def prepare_here(*arguments: str | Path) -> None:
    """Run the script in this process, where its start costs nothing, to its good end."""
    workers = [] if "--workers" in arguments else ["--workers", "1"]
    outcome = call("prepare_data", *arguments, *workers)
    assert outcome.status == 0, outcome.told
