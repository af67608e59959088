"""Memory of a machine, of a control group (version 1 or 2) and of a tree of processes."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Iterable, Iterator

from ddl.experiments.agent.node.processes import PROC, Process

_ROOT = Path("/")
_UNLIMITED = 1 << 60  # cgroup v1 writes "no limit" as a number larger than any memory
_V2 = ("memory.max", "memory.current", "inactive_file")
_V1 = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")


def total_bytes(root: Path = _ROOT) -> int:
    """Return how much memory this process could have at most: the machine's, or its groups' limit."""
    limits = [limit for limit, _ in _groups(root)]
    return min([_meminfo(root, "MemTotal"), *limits])


def available_bytes(root: Path = _ROOT) -> int:
    """Return the memory that this process can still use without swapping or being killed."""
    left = [max(0, limit - used) for limit, used in _groups(root)]
    return min([_meminfo(root, "MemAvailable"), *left])


def kills(root: Path = _ROOT) -> int:
    """Return how many processes the kernel has killed in this control group because its memory did not suffice."""
    for folder, _, version in _folders(root):
        name = "memory.events" if version == 2 else "memory.oom_control"
        match = re.search(r"^oom_kill (\d+)$", _text(folder / name), re.MULTILINE)
        if match:
            return int(match[1])
    return 0


def of_processes(members: Iterable[Process]) -> int:
    """Return the memory of processes: what they share counts once where Linux tells it (PSS), else several times."""
    page = os.sysconf("SC_PAGE_SIZE")
    used = 0
    for process in members:
        match = re.search(
            r"^Pss:\s+(\d+) kB", _text(PROC / str(process.pid) / "smaps_rollup"), re.MULTILINE
        )
        used += int(match[1]) * 1024 if match else process.resident_pages * page
    return used


def _meminfo(root: Path, name: str) -> int:
    match = re.search(rf"^{name}:\s*(\d+) kB", _text(root / "proc/meminfo"), re.MULTILINE)
    if match:
        return int(match[1]) * 1024
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def _groups(root: Path) -> Iterator[tuple[int, int]]:
    """Yield limit and use of each control group of this process that has a limit."""
    for folder, names, _ in _folders(root):
        limit, used = _number(folder / names[0]), _number(folder / names[1])
        # Cached files count as used, but the kernel can reclaim them.
        match = re.search(rf"^{names[2]} (\d+)$", _text(folder / "memory.stat"), re.MULTILINE)
        if limit is not None and used is not None and limit < _UNLIMITED:
            yield limit, max(0, used - (int(match[1]) if match else 0))


def _folders(root: Path) -> Iterator[tuple[Path, tuple[str, str, str], int]]:
    """Yield this process's memory groups and their parents, innermost first. A container may see only the outermost."""
    for line in _text(root / "proc/self/cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        group = Path(path.lstrip("/"))
        for inner in (group, *group.parents):
            if not controllers:
                yield root / "sys/fs/cgroup" / inner, _V2, 2
            elif "memory" in controllers.split(","):
                yield root / "sys/fs/cgroup/memory" / inner, _V1, 1


def _number(path: Path) -> int | None:
    text = _text(path).strip()
    if text == "max":
        return _UNLIMITED
    return int(text) if text.isdigit() else None


def _text(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8", "replace")
    except OSError:
        return ""
