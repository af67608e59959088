"""Checks right before a command starts: what it needs is there, or one line says what is missing."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any, Mapping

from ddl.experiments.agent.node import facts, memory

_ENOUGH = 0.98  # a limit of 16 GB is a little less than 16 GB for the command


def missing(
    needs: Mapping[str, Any],
    words: list[str],
    folder: Path,
    environ: Mapping[str, str],
    run_dir: Path,
) -> list[str]:
    """Return a line for each thing that is missing. Under a scheduler, limits count rather than what is free now."""
    lines = [*_folder_lines(folder, run_dir)]
    lines += _command_lines(words, folder, environ)
    lines += _memory_lines(needs.get("memory_bytes"), "SLURM_JOB_ID" in environ)
    lines += _disk_lines(needs.get("disk_bytes"), run_dir)
    lines += _gpu_lines(needs.get("gpus"), environ)
    wanted, there = needs.get("cores"), facts.cores()
    if wanted and there < wanted:
        lines.append(
            f"Received: {wanted} cores. Expected: at most {there}, which this machine has."
        )
    return lines


def _folder_lines(folder: Path, run_dir: Path) -> list[str]:
    if not folder.is_dir():
        return [f"Received: folder {folder}. Expected: a folder that exists on this machine."]
    if not os.access(str(run_dir), os.W_OK):
        return [f"Received: run directory {run_dir}. Expected: a folder that can be written."]
    return []


def _command_lines(words: list[str], folder: Path, environ: Mapping[str, str]) -> list[str]:
    program = words[0]
    path = (
        str(folder / program) if "/" in program else shutil.which(program, path=environ.get("PATH"))
    )
    if path and os.access(path, os.X_OK) and not Path(path).is_dir():
        return []
    return [
        f"Received: command {program}. Expected: a program of this machine; see PATH, or `setup` of the node."
    ]


def _memory_lines(wanted: int | None, scheduled: bool) -> list[str]:
    if not wanted:
        return []
    there = memory.total_bytes() if scheduled else memory.available_bytes()
    if there >= wanted * _ENOUGH:
        return []
    what = "allowed" if scheduled else "free"
    return [
        f"Received: {_gb(wanted)} of memory. Expected: at most {_gb(there)}, which are {what} here."
    ]


def _disk_lines(wanted: int | None, run_dir: Path) -> list[str]:
    """What an earlier attempt has written needs no room again."""
    if not wanted:
        return []
    left = wanted - size_bytes(run_dir)
    free = int(facts.disk(run_dir)["free_bytes"])
    if free >= left:
        return []
    return [
        f"Received: {_gb(left)} of disk. Expected: at most {_gb(free)}, which are free at {run_dir}."
    ]


def _gpu_lines(wanted: int | None, environ: Mapping[str, str]) -> list[str]:
    if not wanted:
        return []
    given = environ.get("CUDA_VISIBLE_DEVICES")
    there = len(given.split(",")) if given else len(facts.gpus())
    if there >= wanted:
        return []
    return [f"Received: {wanted} GPUs. Expected: at most {there}, which nvidia-smi shows here."]


def size_bytes(folder: Path) -> int:
    """Return the size of the files in a folder."""
    size = 0
    for path, _, names in os.walk(str(folder)):
        for name in names:
            try:
                size += (Path(path) / name).lstat().st_size
            except OSError:  # gone meanwhile
                continue
    return size


def _gb(size: int) -> str:
    return f"{size / 1e9:.1f} GB" if size >= 1e8 else f"{size / 1e6:.1f} MB"
