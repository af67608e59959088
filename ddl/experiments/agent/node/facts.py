"""What a machine has, and what of it is free: for `node`, and for the runner that hands it out."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from ddl.experiments.agent.node import memory
from ddl.experiments.agent.node.processes import boot_id

_SMI = "nvidia-smi"
_SMI_WAIT_S = 10
_QUERY = "--query-gpu=index,name,memory.total,memory.free,utilization.gpu"
_MIB = 1 << 20


def facts(folder: Path) -> dict[str, Any]:
    """Return the facts of this machine. `folder` is the one whose disk counts; it need not exist yet."""
    return {
        "host": socket.gethostname(),
        "boot_id": boot_id(),
        "time": time.time(),
        "cores": cores(),
        "load": list(os.getloadavg()),
        "memory": {
            "total_bytes": memory.total_bytes(),
            "available_bytes": memory.available_bytes(),
        },
        "disk": disk(folder),
        "gpus": gpus(),
        "python": sys.version.split()[0],
    }


def cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def disk(folder: Path) -> dict[str, Any]:
    """Return size and free room of the disk under a folder, or under the nearest parent that exists."""
    for place in (folder, *folder.parents):
        try:
            usage = shutil.disk_usage(str(place))
        except OSError:
            continue
        return {"folder": str(place), "total_bytes": usage.total, "free_bytes": usage.free}
    return {"folder": str(folder), "total_bytes": 0, "free_bytes": 0}


def gpus() -> list[dict[str, Any]]:
    """Return the GPUs as `nvidia-smi` tells them, [] where there is none or it does not answer."""
    process = start_smi()
    if process is None:
        return []
    try:
        text = process.communicate(timeout=_SMI_WAIT_S)[0]
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        return []
    return parse_gpus(text.decode("utf-8", "replace")) if process.returncode == 0 else []


def start_smi() -> subprocess.Popen[bytes] | None:
    """Start nvidia-smi with its output in a pipe; None where there is none."""
    if shutil.which(_SMI) is None:
        return None
    try:
        return subprocess.Popen(
            [_SMI, _QUERY, "--format=csv,noheader,nounits"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
    except OSError:
        return None


def parse_gpus(text: str) -> list[dict[str, Any]]:
    """Return the GPUs of nvidia-smi's lines."""
    rows = [line.split(",") for line in text.splitlines()]
    return [_gpu([word.strip() for word in row]) for row in rows if len(row) == 5]


def _gpu(words: list[str]) -> dict[str, Any]:
    index, name, total, free, use = words
    return {
        "index": int(index) if index.isdigit() else index,
        "name": name,
        "memory_bytes": _mib(total),
        "free_bytes": _mib(free),
        "use": float(use) / 100 if use.isdigit() else None,  # "[N/A]" under MIG
    }


def _mib(word: str) -> int | None:
    return int(word) * _MIB if word.isdigit() else None


def visible_gpus() -> list[str]:
    """Return the GPUs that this process may give out: those of CUDA_VISIBLE_DEVICES, else all."""
    given = os.environ.get("CUDA_VISIBLE_DEVICES")
    if given is not None:
        return [word.strip() for word in given.split(",") if word.strip()]
    return [str(gpu["index"]) for gpu in gpus()]
