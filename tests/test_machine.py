"""Facts about a machine are correct and contain no secret."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ddl import machine
from ddl.machine import available_memory_bytes, total_memory_bytes

MIB = 1 << 20


def test_settings_are_shown_and_secrets_are_not() -> None:
    environ = {
        "OMPI_MCA_btl": "tcp,self",
        "_HOROVOD_SECRET_KEY": "x",
        "SLURM_JWT": "x",
        "DDL_INDEX": "https://me:x@host/simple",
        "HOME": "/",
    }
    assert machine.settings(environ, re.compile("(OMPI|SLURM|DDL|HOROVOD)_")) == {
        "OMPI_MCA_btl": "tcp,self",
        "SLURM_JWT": "(hidden)",
        "DDL_INDEX": "https://me:(hidden)@host/simple",
    }


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("train.py --epochs 5 --keep-last 3", "train.py --epochs 5 --keep-last 3"),
        ("train.py --api-token x --epochs 5", "train.py --api-token (hidden) --epochs 5"),
        ("train.py --Password=x --epochs=5", "train.py --Password=(hidden) --epochs=5"),
        ("train.py --keys x y --data d", "train.py --keys (hidden) (hidden) --data d"),
        ("train.py secret=x data=d", "train.py secret=(hidden) data=d"),
        ("--data sql://me:x@host/d", "--data sql://me:(hidden)@host/d"),
        ("--data=sql://:x@host/d", "--data=sql://:(hidden)@host/d"),
        ("--data http://host:80/a@b", "--data http://host:80/a@b"),
    ],
)
def test_a_command_is_shown_without_its_secrets(given: str, told: str) -> None:
    assert machine.command(given.split()) == told.split()


def write_group(folder: Path, limit: str, used: int, inactive: int, version: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    names = {
        1: ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
        2: ("memory.max", "memory.current", "inactive_file"),
    }[version]
    (folder / names[0]).write_text(f"{limit}\n")
    (folder / names[1]).write_text(f"{used}\n")
    (folder / "memory.stat").write_text(f"anon 5\n{names[2]} {inactive}\nslab 7\n")


def say_group(root: Path, *lines: str) -> None:
    (root / "proc/self").mkdir(parents=True)
    (root / "proc/self/cgroup").write_text("".join(f"{line}\n" for line in lines))


def test_without_control_groups_the_machines_memory_counts(tmp_path: Path) -> None:
    total = total_memory_bytes()
    assert 0 < available_memory_bytes(tmp_path) < total
    assert 0 < available_memory_bytes() < total
    say_group(tmp_path, "0::/gone", "4:memory:/gone")
    assert 0 < available_memory_bytes(tmp_path) < total


@pytest.mark.parametrize(
    ("version", "line", "mount"),
    [(2, "0::/job/step", "sys/fs/cgroup"), (1, "4:cpu,memory:/job/step", "sys/fs/cgroup/memory")],
)
def test_the_tightest_group_counts_and_cached_files_are_reclaimable(
    tmp_path: Path, version: int, line: str, mount: str
) -> None:
    say_group(tmp_path, "9:name=systemd:/else", line)
    unlimited = "max" if version == 2 else str(9223372036854771712)
    write_group(tmp_path / mount / "job/step", unlimited, 9, 0, version)
    write_group(tmp_path / mount / "job", str(50 * MIB), 30 * MIB, 10 * MIB, version)
    assert available_memory_bytes(tmp_path) == 30 * MIB
    write_group(tmp_path / mount / "job/step", str(20 * MIB), 25 * MIB, 0, version)
    assert available_memory_bytes(tmp_path) == 0


def test_a_container_is_limited_by_its_own_group(tmp_path: Path) -> None:
    say_group(tmp_path, "0::/../outside")
    write_group(tmp_path / "sys/fs/cgroup", str(64 * MIB), 4 * MIB, 0, 2)
    assert available_memory_bytes(tmp_path) == 60 * MIB


def test_the_machines_available_memory_is_read(tmp_path: Path) -> None:
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/meminfo").write_text("MemTotal: 900 kB\nMemAvailable: 100 kB\n")
    assert available_memory_bytes(tmp_path) == 100 * 1024


def test_the_processor_has_a_name(tmp_path: Path) -> None:
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text("processor\t: 0\nmodel name\t: Fast One\nmodel name\t: Fast One\n")
    assert machine.processor(cpuinfo) == "Fast One"
    assert machine.processor(tmp_path / "none")
