"""What git says of a folder. Asking changes nothing and takes no lock that another git could wait for."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

TIMEOUT_S = 10.0


def ask_git(folder: Path, *arguments: str, timeout_s: float = TIMEOUT_S) -> bytes | None:
    """Return git's output for the repository of a folder; None if it fails, is missing, or takes too long."""
    # A git hook's variables would select another repository. No locks: others may use this one.
    env = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    env["GIT_OPTIONAL_LOCKS"] = "0"
    command = ["git", "-C", str(folder), *arguments]
    try:
        result = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            env=env,
            timeout=timeout_s,
            check=False,
        )
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return None
    return result.stdout if result.returncode == 0 else None


def git_text(folder: Path, *arguments: str) -> str | None:
    """Return git's output as text without its last newline; None if it fails, is missing, or takes too long."""
    output = ask_git(folder, *arguments)
    return None if output is None else os.fsdecode(output).removesuffix("\n")
