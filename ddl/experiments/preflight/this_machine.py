"""What this machine has for experiments: programs, a place to write to, a store whose file system can be trusted."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import platform
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from ddl.experiments.backends.processes import brief, run_limited
from ddl.experiments.notify.smtp.server_settings import read_server_settings, settings_path
from ddl.experiments.preflight.checks import NO, OK, UNKNOWN, Check

_SLURM = ("sbatch", "squeue", "scancel", "sinfo", "scontrol")
_CLOCKS_S = 5.0  # a heartbeat counts, so a wrong clock only makes ages wrong
_ASK_S = 15.0


def check_programs() -> Iterator[Check]:
    """Yield whether the programs that nodes are reached with are here."""
    yield Check(OK, "Python", platform.python_version())
    for name, why in (
        ("ssh", "for nodes of type ssh, and for Slurm elsewhere"),
        ("rsync", "for nodes that do not see the store"),
        ("git", "for the commit of an experiment's code"),
    ):
        found = shutil.which(name)
        yield Check(OK, name, found) if found else Check(UNKNOWN, name, f"not here; needed {why}")
    yield _slurm()
    gpus = shutil.which("nvidia-smi")
    yield (
        Check(OK, "GPUs", gpus)
        if gpus
        else Check(OK, "GPUs", "no nvidia-smi: none on this machine")
    )


def check_mail() -> Check:
    """Return whether mails could be sent: their settings can be read. Sends none."""
    path = settings_path()
    if not path.exists():
        return Check(UNKNOWN, "mail", f"no {path}: no mail is sent from here")
    try:
        found = read_server_settings(path)
    except (ValueError, OSError) as error:
        return Check(NO, "mail", str(error))
    return Check(OK, "mail", f"{found.host}, port {found.port}; `notify --test` sends a trial")


def check_home() -> Check:
    """Return whether the agent of this machine has a place for its queue."""
    home = Path(os.environ.get("DDL_NODE_HOME") or Path.home() / ".ddl" / "node")
    place = next((folder for folder in (home, *home.parents) if folder.exists()), home)
    if os.access(place, os.W_OK | os.X_OK):
        return Check(OK, "queue", f"{home}")
    return Check(NO, "queue", f"{place} cannot be written; set DDL_NODE_HOME to another folder")


def check_store(path: Path) -> Iterator[Check]:
    """Yield what a store's file system can do. It is tried in a folder of its own, which is removed again."""
    if not os.access(path, os.R_OK | os.X_OK):
        yield Check(NO, "store", f"{path} cannot be read")
        return
    try:
        folder = Path(tempfile.mkdtemp(prefix=".doctor-", dir=path))
    except OSError as error:
        yield Check(NO, "store", f"{path} cannot be written: {error.strerror}; looking still works")
        return
    try:
        yield Check(OK, "store", f"{path} can be read and written")
        yield _links(folder)
        yield _folders(folder)
        yield _locks(folder)
        yield _clock(folder)
        free = shutil.disk_usage(folder).free
        verdict = OK if free > 1 << 30 else NO
        yield Check(verdict, "disk", f"{free / 1e9:.1f} GB are free in the store's file system")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _slurm() -> Check:
    here = [name for name in _SLURM if shutil.which(name)]
    if not here:
        return Check(OK, "Slurm", "no commands of it on this machine")
    missing = [name for name in _SLURM if name not in here]
    if missing:
        return Check(NO, "Slurm", f"{', '.join(missing)} missing beside {', '.join(here)}")
    done = run_limited(["sinfo", "--version"], "", _ASK_S)
    if done is None or done.returncode:
        return Check(UNKNOWN, "Slurm", brief(done.stderr) if done else "sinfo does not answer")
    return Check(OK, "Slurm", done.stdout.strip())


def _links(folder: Path) -> Check:
    """Try what makes a file appear once: a link to a name that must not exist."""
    first, second = folder / "first", folder / "second"
    first.write_text("")
    try:
        second.hardlink_to(first)
    except OSError as error:
        return Check(OK, "links", f"none ({error.strerror}); names are taken by O_EXCL instead")
    if first.stat().st_nlink != 2:
        return Check(NO, "links", "a link is made and not counted: two could take the same attempt")
    with contextlib.suppress(FileExistsError):
        second.hardlink_to(first)
        return Check(
            NO, "links", "a name that exists can be linked again: two could take an attempt"
        )
    return Check(OK, "links", "files can appear once and whole")


def _folders(folder: Path) -> Check:
    (folder / "claim").mkdir()
    with contextlib.suppress(FileExistsError):
        (folder / "claim").mkdir()
        return Check(NO, "claims", "a folder can be made twice: claims do not fence here")
    return Check(OK, "claims", "a folder can be made once")


def _locks(folder: Path) -> Check:
    with (folder / "lock").open("w") as one, (folder / "lock").open("w") as other:
        try:
            fcntl.flock(one, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            told = errno.errorcode.get(error.errno or 0, "?")
            return Check(
                OK, "locks", f"none ({told}); experiments need none, run directories use a folder"
            )
        try:
            fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return Check(OK, "locks", "work")
    return Check(UNKNOWN, "locks", "given to two at once; experiments need none")


def _clock(folder: Path) -> Check:
    before = time.time()
    path = folder / "clock"
    path.write_text("")
    ahead_s = path.stat().st_mtime - before
    if abs(ahead_s) <= _CLOCKS_S:
        return Check(OK, "clock", "agrees with the store's file server")
    return Check(
        UNKNOWN, "clock", f"the store's file server is {ahead_s:+.0f} s off: ages will be wrong"
    )
