"""A PostgreSQL server for the tests: in a temporary folder, on a free port, removed afterwards in any case.

Debian's server is installed if the tests run as root and apt works. Without a server the tests are skipped with the
reason; with CI=true they fail.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import pwd
import shutil
import socket
import stat
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import psutil
import psycopg

from ddl.scoring.deployment.probe import own_code
from tests.packages import require_programs

BIN = Path("/usr/lib/postgresql/15/bin")
_PLPYTHON = Path("/usr/lib/postgresql/15/lib/plpython3.so")
_PACKAGES = ("postgresql-15", "postgresql-plpython3-15")
_SETTINGS = {
    "max_connections": 40,
    "max_worker_processes": 8,
    "max_parallel_workers": 8,
    "shared_buffers": "32MB",
    "fsync": "off",
    "full_page_writes": "off",
}
# Tests killed by a timeout run no clean-up, so a separate process waits for their end and stops the server.
_GUARD = """
import os, shutil, signal, sys, time
parent, folder = int(sys.argv[1]), sys.argv[2]
while os.getppid() == parent:
    time.sleep(0.5)
try:
    pid = int(open(folder + "/data/postmaster.pid").readline())
    os.kill(pid, signal.SIGQUIT)
    time.sleep(2)
except (OSError, ValueError):
    pass
shutil.rmtree(folder, ignore_errors=True)
"""


_READS_ALL = ("--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search")


def _is_hidden() -> bool:
    """Return whether this checkout or its packages are in a folder that only root can enter, such as its home."""
    folders = [folder for path in own_code() for folder in (Path(path), *Path(path).parents)]
    return not all(folder.stat().st_mode & stat.S_IXOTH for folder in folders)


def require_server() -> None:
    """Install the server if it is missing; if that fails, skip the test, or fail it in CI."""
    require_programs((str(BIN / "postgres"), str(_PLPYTHON)), _PACKAGES)


class Cluster:
    """A running server. Its superuser is `postgres`, and it trusts all local connections."""

    def __init__(self) -> None:
        """Create and start the server."""
        self.folder = Path(tempfile.mkdtemp(prefix="ddlpg"))
        self.user = "postgres" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name
        self.folder.chmod(0o755)
        self.data = self.folder / "data"
        self.data.mkdir()
        if os.geteuid() == 0:
            shutil.chown(self.folder, self.user)
            shutil.chown(self.data, self.user)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = int(free.getsockname()[1])
        atexit.register(self.stop)
        self._run("initdb", "-D", self.data, "-U", "postgres", "-A", "trust", "-N", "-E", "UTF8")
        settings = _SETTINGS | {
            "port": self.port,
            "listen_addresses": "'127.0.0.1'",
            "unix_socket_directories": f"'{self.folder}'",
        }
        lines = "".join(f"{name} = {value}\n" for name, value in settings.items())
        with (self.data / "postgresql.conf").open("a") as file:
            file.write(lines)
        self.ctl("start")
        guard = [sys.executable, "-c", _GUARD, str(os.getpid()), str(self.folder)]
        self._guard = subprocess.Popen(guard, start_new_session=True)

    @property
    def environment(self) -> dict[str, str]:
        """Environment variables with which libpq connects to it."""
        return {"PGHOST": str(self.folder), "PGPORT": str(self.port), "PGUSER": "postgres"}

    def ctl(self, *words: str) -> None:
        """Run pg_ctl."""
        self._run("pg_ctl", "-D", self.data, "-w", "-t", "30", "-l", self.folder / "log", *words)

    def log(self) -> str:
        """Return the server's log."""
        return (self.folder / "log").read_text(errors="replace")

    def connect(self, user: str = "postgres", dbname: str = "postgres") -> psycopg.Connection[Any]:
        """Return a connection in autocommit mode."""
        words = {"host": str(self.folder), "port": self.port, "user": user, "dbname": dbname}
        return psycopg.connect(**words, autocommit=True)

    def backends(self) -> list[psutil.Process]:
        """Return the server's processes."""
        pid = int((self.data / "postmaster.pid").read_text().split()[0])
        return psutil.Process(pid).children()

    def stop(self) -> None:
        """Stop and remove the server. A second call does nothing."""
        if not self.folder.exists():
            return
        with contextlib.suppress(OSError, ValueError, AssertionError):
            self.ctl("-m", "immediate", "stop")
        if hasattr(self, "_guard"):
            self._guard.kill()
            self._guard.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _run(self, program: str, *arguments: str | Path) -> None:
        """Run a program as the server's user: PostgreSQL refuses to be root."""
        command = [str(BIN / program), *map(str, arguments)]
        if os.geteuid() == 0:
            user = ["setpriv", f"--reuid={self.user}", f"--regid={self.user}", "--init-groups"]
            command = [*user, *_READS_ALL, *command] if _is_hidden() else [*user, *command]
        env = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
        # Not a pipe: the server that pg_ctl starts would keep it open.
        with tempfile.TemporaryFile() as output:
            done = subprocess.run(
                command,
                cwd=self.folder,
                env=env | {"LC_ALL": "C.UTF-8", "HOME": str(self.folder)},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                timeout=60,
                check=False,
            )
            output.seek(0)
            assert done.returncode == 0, output.read().decode(errors="replace")
