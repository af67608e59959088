"""Files to and from a node by the user's own `rsync`: whole files by rename, times kept, no owners."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from ddl.experiments.backends.processes import FILES_TIMEOUT_S, brief, run_limited
from ddl.experiments.problem import Unreachable
from ddl.plain_text import escaped


class CopiesByRsync:
    """A way to a node, whose files `rsync` copies."""

    host: str
    """The host's name, "" for this machine."""

    def send(
        self,
        local: Path,
        remote: str,
        rules: Sequence[str] = (),
        timeout_s: float = FILES_TIMEOUT_S,
    ) -> None:
        """Copy a file, or what a folder holds, to the node."""
        slash = (
            "/" if local.is_dir() else ""
        )  # then rsync takes what the folder holds, not the folder
        self._copy(f"{local.absolute()}{slash}", self._place(remote), rules, timeout_s)

    def fetch(
        self,
        remote: str,
        local: Path,
        rules: Sequence[str] = (),
        timeout_s: float = FILES_TIMEOUT_S,
    ) -> None:
        """Copy a file, or what a folder holds, from the node."""
        self._copy(self._place(remote), str(local.absolute()), rules, timeout_s)

    def _shell(self) -> list[str]:
        """Return the words of rsync for the way to the node."""
        return []

    def _place(self, remote: str) -> str:
        """Return a path on the node as rsync takes it."""
        return f"{self.host}:{remote}" if self.host else remote

    def _copy(self, source: str, target: str, rules: Sequence[str], timeout_s: float) -> None:
        shell, name = self._shell(), self.host or "this machine"
        run_rsync(shell, source, target, rules, timeout_s, name)


def run_rsync(
    shell: Sequence[str],
    source: str,
    target: str,
    rules: Sequence[str],
    timeout_s: float,
    name: str,
) -> None:
    """Run rsync: whole files by rename, times kept, no owners. `shell` are its words for the way to the node."""
    program = shutil.which("rsync")
    if program is None:
        raise ValueError(
            "Received: no rsync on this machine. Expected: rsync, to copy files to and from nodes; install it, or "
            "set `shared: true` for nodes that see the store."
        )
    flags = ["-rlpt", "--delay-updates", "-s"]
    argv = [program, *flags, *shell, *rules, "--", source, target]
    done = run_limited(argv, "", timeout_s)
    if done is None:
        raise Unreachable(f"{name}: copying {source} did not end within {timeout_s:g} s.")
    if done.returncode in (0, 24):  # 24: files vanished meanwhile, as a log that was rotated
        return
    said = brief(done.stderr)
    if done.returncode in (3, 11, 22, 23):
        raise OSError(
            f"{name}: rsync could not copy {escaped(source)} to {escaped(target)}: {said}"
        )
    if "rsync: command not found" in done.stderr or "rsync: not found" in done.stderr:
        raise ValueError(
            f"Received: {name} has no rsync. Expected: rsync there, or `shared: true`."
        )
    raise Unreachable(f"{name}: rsync ended with status {done.returncode}: {said}")
