"""Programs of Debian packages that tests start as real servers: installed where they are missing.

That needs root and apt. Without them the test is skipped with the reason; with CI=true it fails.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

_INSTALL_S = 280
_NO_SERVICES = Path("/usr/sbin/policy-rc.d")
_SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def find_program(name: str) -> str | None:
    """Return where a program is, also one in the folders of the system's own programs."""
    return shutil.which(name, path=f"{os.environ.get('PATH', '')}:{_SYSTEM_PATH}")


def require_programs(programs: Sequence[str], packages: Sequence[str]) -> None:
    """Install packages if one of the programs is missing; if that fails, skip the test, or fail it in CI."""
    if not (missing := _missing(programs)):
        return
    problem = _install(packages) or "".join(_missing(programs))
    if not problem:
        return
    told = f"{', '.join(missing)} missing: {problem}"
    if os.environ.get("CI") == "true":
        pytest.fail(told)
    pytest.skip(told)


def _missing(programs: Sequence[str]) -> list[str]:
    """Return the programs, or files by their whole paths, that are not there."""
    return [name for name in programs if not Path(name).is_file() and find_program(name) is None]


def _install(packages: Sequence[str]) -> str:
    """Return why the packages cannot be installed, or ""."""
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        return f"apt-get install {' '.join(packages)}"
    env = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    with _one_at_a_time(), _without_services():
        for command in (
            ["update", "-qq"],
            ["install", "-y", "-qq", "--no-install-recommends", *packages],
        ):
            done = subprocess.run(
                ["apt-get", *command],
                env=env,
                capture_output=True,
                text=True,
                timeout=_INSTALL_S,
                check=False,
            )
            if done.returncode:
                return f"apt-get {command[0]} failed: {done.stderr.strip()[-300:]}"
    return ""


@contextlib.contextmanager
def _one_at_a_time() -> Iterator[None]:
    """Hold off other workers of the same tests: apt's own lock makes the second one fail."""
    with Path(tempfile.gettempdir(), "ddl-tests-apt.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def _without_services() -> Iterator[None]:
    """Keep packages from starting their servers: tests start their own, on loopback."""
    if _NO_SERVICES.exists():
        yield
        return
    _NO_SERVICES.write_text("#!/bin/sh\nexit 101\n")
    _NO_SERVICES.chmod(0o755)
    try:
        yield
    finally:
        _NO_SERVICES.unlink(missing_ok=True)
