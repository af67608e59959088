"""Memory of machines and control groups of both versions."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ddl.experiments.agent.node import memory, processes

MEMINFO = "MemTotal:       1000 kB\nMemFree: 1 kB\nMemAvailable:   800 kB\n"
KB = 1024


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A machine of 1000 KiB, 800 free."""
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "proc/meminfo").write_text(MEMINFO)
    return tmp_path


def group(root: Path, line: str, folder: str, files: dict[str, str]) -> None:
    (root / "proc/self/cgroup").write_text(line)
    place = root / "sys/fs/cgroup" / folder
    place.mkdir(parents=True)
    for name, text in files.items():
        (place / name).write_text(text)


def test_without_groups_the_machine_counts(root: Path):
    assert (memory.total_bytes(root), memory.available_bytes(root)) == (1000 * KB, 800 * KB)
    assert memory.kills(root) == 0


def test_a_group_of_version_2(root: Path):
    files = {
        "memory.max": f"{500 * KB}\n",
        "memory.current": f"{300 * KB}\n",
        "memory.stat": f"anon 1\ninactive_file {100 * KB}\n",
        "memory.events": "low 0\noom 3\noom_kill 2\n",
    }
    group(root, "0::/job/step\n", "job", files)
    assert (memory.total_bytes(root), memory.available_bytes(root)) == (500 * KB, 300 * KB)
    assert memory.kills(root) == 2


def test_a_group_of_version_1(root: Path):
    files = {
        "memory.limit_in_bytes": f"{500 * KB}\n",
        "memory.usage_in_bytes": f"{300 * KB}\n",
        "memory.stat": f"total_inactive_file {100 * KB}\n",
        "memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 1\n",
    }
    group(root, "4:cpu,memory:/job\n3:cpuset:/\n0::/\n", "memory/job", files)
    assert (memory.total_bytes(root), memory.available_bytes(root)) == (500 * KB, 300 * KB)
    assert memory.kills(root) == 1


@pytest.mark.parametrize("limit", ["max", str(1 << 63), "nonsense"])
def test_a_group_without_a_limit(root: Path, limit: str):
    group(root, "0::/job\n", "job", {"memory.max": limit, "memory.current": "1"})
    assert memory.total_bytes(root) == 1000 * KB


def test_a_container_that_sees_only_its_own_group(root: Path):
    group(root, "0::/../../docker/abc\n", "", {"memory.max": "4096", "memory.current": "1024"})
    assert memory.available_bytes(root) == 3072


def test_the_memory_of_this_process_is_plausible():
    own = processes.find(os.getpid())
    assert own is not None
    assert 1 << 20 < memory.of_processes([own]) < 1 << 34
