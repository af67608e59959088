"""Processes as Linux shows them in /proc: who is who, also after a process number was given to another process."""

from __future__ import annotations

import os
import signal
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Iterable

PROC = Path("/proc")

_DEAD = ("Z", "X", "x")  # a zombie runs no code


@dataclass(frozen=True)
class Process:
    """What /proc/PID/stat says. `start_ticks` tells a process from a later one with the same number.

    `cpu_ticks` counts its own time, and that of children that it has waited for.
    """

    pid: int
    name: str
    state: str
    parent: int
    session: int
    cpu_ticks: int
    start_ticks: int
    resident_pages: int

    @property
    def is_alive(self) -> bool:
        """Return whether it can still run code."""
        return self.state not in _DEAD


def parse_stat(text: str) -> Process:
    """Return the process of a line of /proc/PID/stat. Its name stands in brackets and may hold brackets and spaces."""
    head, _, tail = text.rpartition(")")
    pid, _, name = head.partition(" (")
    fields = tail.split()  # fields[0] is field 3 of proc(5)
    return Process(
        pid=int(pid),
        name=name,
        state=fields[0],
        parent=int(fields[1]),
        session=int(fields[3]),
        cpu_ticks=sum(int(field) for field in fields[11:15]),
        start_ticks=int(fields[19]),
        resident_pages=int(fields[21]),
    )


def find(pid: int, start_ticks: int | None = None) -> Process | None:
    """Return the living process with this number, None where it has ended or is not the one that started then."""
    process = _read(pid)
    if process is None or not process.is_alive or start_ticks not in (None, process.start_ticks):
        return None
    return process


def start_of(pid: int) -> int:
    """Return when a process started, also of a zombie; 0 where there is none."""
    process = _read(pid)
    return process.start_ticks if process is not None else 0


def exists(pid: int, start_ticks: int) -> bool:
    """Return whether this process is there, if only as a zombie that keeps its number from being used again."""
    process = _read(pid)
    return process is not None and process.start_ticks == start_ticks


def _read(pid: int) -> Process | None:
    try:
        text = (PROC / str(pid) / "stat").read_bytes().decode("utf-8", "replace")
        return parse_stat(text)
    except (OSError, ValueError, IndexError):
        return None


def living() -> dict[int, Process]:
    """Return all living processes by their numbers."""
    found = (find(int(name)) for name in os.listdir(PROC) if name.isdigit())  # noqa: PTH208
    return {process.pid: process for process in found if process is not None}


def tree_of(pid: int, among: dict[int, Process]) -> list[Process]:
    """Return a process and its descendants, parents first."""
    children: dict[int, list[int]] = {}
    for process in among.values():
        children.setdefault(process.parent, []).append(process.pid)
    found, waiting = [], [pid]
    while waiting:
        number = waiting.pop(0)
        if number in among:
            found.append(among[number])
        waiting.extend(sorted(children.get(number, ())))
    return found


def family(pid: int) -> list[Process]:
    """Return a process and its descendants, without a look at all processes where Linux lists the children of each."""
    if not (PROC / str(os.getpid()) / "task" / str(os.getpid()) / "children").exists():
        return tree_of(pid, living())
    found, waiting = [], [pid]
    while waiting:
        number = waiting.pop()
        process = find(number)
        if process is not None:
            found.append(process)
            waiting += _children_of(number)
    return found


def _children_of(pid: int) -> list[int]:
    """Return the children of all threads of a process."""
    numbers: list[int] = []
    try:
        for thread in (PROC / str(pid) / "task").iterdir():
            numbers += [int(word) for word in (thread / "children").read_bytes().split()]
    except OSError:  # gone meanwhile
        return numbers
    return numbers


def ancestors_of(pid: int, among: dict[int, Process]) -> list[int]:
    """Return the numbers of a process and of those that it descends from."""
    found: list[int] = []
    while pid in among and pid not in found:
        found.append(pid)
        pid = among[pid].parent
    return found


def variable_of(pid: int, name: str) -> str | None:
    """Return a variable of the environment that a process was started with, None where it lacks or cannot be read."""
    return _variables(pid, name).get(name)


def _variables(pid: int, *names: str) -> dict[str, str]:
    try:
        data = (PROC / str(pid) / "environ").read_bytes()
    except OSError:  # another user's, or gone
        return {}
    found = {}
    for entry in data.split(b"\0"):
        name, _, value = entry.decode("utf-8", "surrogateescape").partition("=")
        if name in names:
            found[name] = value
    return found


@dataclass(frozen=True)
class Owner:
    """An attempt as its processes know it. A copy of its store has the same names, in another folder."""

    name: str
    folder: str = ""

    def owns(self, pid: int) -> bool:
        """Return whether a process was started for this attempt."""
        found = _variables(pid, "DDL_ATTEMPT", "DDL_ATTEMPT_DIR")
        if found.get("DDL_ATTEMPT") != self.name:
            return False
        return is_same_folder(self.folder, found.get("DDL_ATTEMPT_DIR", ""))


def is_same_folder(one: str, other: str) -> bool:
    """Return whether two paths are one folder, or may be: one that is unknown, or not to be seen from here."""
    if not one or not other or one == other:
        return True
    try:
        return Path(one).samefile(other)
    except OSError:
        return True


def words_of(pid: int) -> list[str]:
    """Return the command line of a process, [] where it cannot be read."""
    try:
        data = (PROC / str(pid) / "cmdline").read_bytes()
    except OSError:
        return []
    return data.decode("utf-8", "surrogateescape").rstrip("\0").split("\0")


def catches(pid: int, number: int) -> bool:
    """Return whether a process has a handler of its own for a signal."""
    try:
        lines = (PROC / str(pid) / "status").read_bytes().splitlines()
    except OSError:
        return False
    masks = [line.split()[1] for line in lines if line.startswith(b"SigCgt:")]
    return bool(masks) and bool(int(masks[0], 16) & (1 << (number - 1)))


def of_attempt(owner: Owner, session: int = 0) -> list[Process]:
    """Return the processes of an attempt: those that hold its name in their environment, or are in its session.

    This process and those that it descends from are never among them, whatever their environment says.
    """
    among = living()
    own = set(ancestors_of(os.getpid(), among))
    return [
        process
        for process in among.values()
        if process.pid not in own and (0 < session == process.session or owner.owns(process.pid))
    ]


def send(process: Process, number: int, owner: Owner | None = None) -> bool:
    """Send a signal to exactly this process. Return whether it was there.

    The number may belong to another process by now, so its start is read again, and so is its attempt where an
    owner is given. Where Linux and Python have handles of processes, nothing can come between that look and the signal.
    """
    handle = _handle(process.pid)
    try:
        if find(process.pid, process.start_ticks) is None:
            return False
        if owner is not None and not owner.owns(process.pid):
            return False
        if handle is None:
            os.kill(process.pid, number)
        else:
            signal.pidfd_send_signal(handle, number)  # type: ignore[attr-defined,unused-ignore]
        return True
    except (ProcessLookupError, PermissionError):
        return False
    finally:
        if handle is not None:
            os.close(handle)


def _handle(pid: int) -> int | None:
    if not hasattr(os, "pidfd_open") or not hasattr(signal, "pidfd_send_signal"):
        return None  # Python 3.8, or a system without
    try:
        return os.pidfd_open(pid)
    except OSError:
        return None


def boot_id() -> str:
    """Return what changes with each start of the machine."""
    try:
        return (PROC / "sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


def namespace() -> str:
    """Return the namespace of process numbers: those of another container mean nothing here."""
    try:
        return os.readlink(PROC / "self/ns/pid")
    except OSError:
        return ""


def own_identity() -> dict[str, Any]:
    """Return what tells this process from all others, on all machines, at all times."""
    own = find(os.getpid())
    return {
        "host": socket.gethostname(),
        "boot_id": boot_id(),
        "namespace": namespace(),
        "pid": os.getpid(),
        "start_ticks": own.start_ticks if own else 0,
        "session": os.getsid(0),
    }


def is_here(identity: dict[str, Any]) -> bool:
    """Return whether an identity's process number means something on this machine: same host, same namespace."""
    return bool(
        identity.get("host") == socket.gethostname()
        and identity.get("namespace", namespace()) == namespace()
    )


def is_gone(identity: dict[str, Any]) -> bool:
    """Return whether the process of an identity is known to have ended. False where that cannot be known from here."""
    if not is_here(identity):
        return False
    if identity.get("boot_id") != boot_id():
        return not str(identity["host"]).startswith("localhost")  # a name that many machines have
    return find(int(identity["pid"]), int(identity["start_ticks"])) is None


def any_alive(processes: Iterable[Process]) -> bool:
    """Return whether one of these processes still lives."""
    return any(find(process.pid, process.start_ticks) is not None for process in processes)
