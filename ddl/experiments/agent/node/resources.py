"""What a command uses, sampled every half minute: memory, processor, disk, GPUs. One line of JSON each."""

from __future__ import annotations

import json
import os
import subprocess
import time
from pathlib import Path
from typing import Any

from ddl.experiments.agent.node import facts, memory, processes
from ddl.experiments.agent.node.processes import Process
from ddl.experiments.agent.pace import now_s
from ddl.experiments.agent.whole import replace_text

MOST_BYTES = 1 << 20
"""Of resources.jsonl: a day and a half of samples. Beyond, every second one of the older half is left out."""

_SMI_LIMIT_S = 10.0
_SMI_FAILURES = 3


class Sampler:
    """Samples the processes of one command."""

    def __init__(self, pid: int, path: Path, folder: Path, gpus: str | None) -> None:
        """Sample a command's tree into `path`. `folder` is on the disk that counts; `gpus` is CUDA_VISIBLE_DEVICES."""
        self._pid, self._path, self._folder = pid, path, folder
        self._smi = Smi(gpus)
        self._sample: dict[str, Any] = {}
        self._before: tuple[float, float] | None = None
        self.peak_bytes = 0

    def begin(self) -> None:
        """Take a sample; what nvidia-smi says comes later."""
        members = processes.family(self._pid)
        used = memory.of_processes(members)
        self.peak_bytes = max(self.peak_bytes, used)
        clock_s, cpu_s = now_s(), _cpu_s(members)
        busy = None
        if self._before is not None:  # a rate needs two samples
            before_s, cpu_before_s = self._before
            busy = round(max(0.0, cpu_s - cpu_before_s) / max(clock_s - before_s, 1e-3), 3)
        self._before = (clock_s, cpu_s)
        self._sample = {
            "time": time.time(),
            "memory_bytes": used,
            "memory_free_bytes": memory.available_bytes(),
            "processes": len(members),
            "cpu_s": round(cpu_s, 2),
            "cores_used": busy,
            "disk_free_bytes": facts.disk(self._folder)["free_bytes"],
        }
        self._smi.begin()

    def step(self) -> None:
        """Write the sample down once it is complete. Never waits."""
        if not self._sample or not self._smi.is_done():
            return
        if self._smi.gpus:
            self._sample["gpus"] = self._smi.gpus
        append_bounded(self._path, self._sample)
        self._sample = {}

    def close(self) -> None:
        """End nvidia-smi if it still runs, and write what is there."""
        self._smi.end()
        self.step()


class Smi:
    """nvidia-smi in the background: it may take seconds, and hang with a broken driver."""

    def __init__(self, visible: str | None) -> None:
        """Show the GPUs that `visible` names, all where it is None."""
        self._visible = None if visible is None else [word.strip() for word in visible.split(",")]
        self._process: subprocess.Popen[bytes] | None = None
        self._until_s = 0.0
        self._failures = 0
        self.gpus: list[dict[str, Any]] = []

    def begin(self) -> None:
        """Ask, unless it does not exist or has failed too often."""
        self.gpus = []
        if self._failures < _SMI_FAILURES and self._process is None:
            self._process = facts.start_smi()
            self._until_s = now_s() + _SMI_LIMIT_S

    def is_done(self) -> bool:
        """Return whether there is nothing to wait for."""
        if self._process is None:
            return True
        if self._process.poll() is None and now_s() < self._until_s:
            return False
        self.end()
        return True

    def end(self) -> None:
        """Take what it said; end it if it still runs."""
        process, self._process = self._process, None
        if process is None:
            return
        if process.poll() is None:
            process.kill()
        text = process.communicate()[0].decode("utf-8", "replace")
        self._failures = 0 if process.returncode == 0 else self._failures + 1
        gpus = facts.parse_gpus(text) if process.returncode == 0 else []
        shown = [gpu for gpu in gpus if self._visible is None or str(gpu["index"]) in self._visible]
        self.gpus = [
            {
                "index": gpu["index"],
                "memory_bytes": _used(gpu["memory_bytes"], gpu["free_bytes"]),
                "total_bytes": gpu["memory_bytes"],
                "use": gpu["use"],
            }
            for gpu in shown
        ]


def append_bounded(path: Path, sample: dict[str, Any], most_bytes: int = MOST_BYTES) -> None:
    """Append a sample. A file that becomes too long loses every second sample of its older half."""
    try:
        with path.open("ab") as file:
            file.write(json.dumps(sample).encode() + b"\n")
            size = file.tell()
        if size > most_bytes:
            lines = path.read_bytes().splitlines(keepends=True)
            half = len(lines) // 2
            replace_text(path, b"".join(lines[:half:2] + lines[half:]))
    except OSError:  # a full disk: samples are not worth a training
        return


def _cpu_s(members: list[Process]) -> float:
    return sum(process.cpu_ticks for process in members) / os.sysconf("SC_CLK_TCK")


def _used(total: int | None, free: int | None) -> int | None:
    return None if total is None or free is None else total - free
