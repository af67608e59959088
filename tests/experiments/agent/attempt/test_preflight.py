"""Checks right before a command starts."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from ddl.experiments.agent.attempt import preflight
from ddl.experiments.agent.node import facts, memory


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine of 4 cores, 16 GB of which 8 are free, 100 GB of disk, two GPUs."""
    monkeypatch.setattr(facts, "cores", lambda: 4)
    monkeypatch.setattr(memory, "total_bytes", lambda: 16_000_000_000)
    monkeypatch.setattr(memory, "available_bytes", lambda: 8_000_000_000)
    monkeypatch.setattr(facts, "disk", lambda folder: {"free_bytes": 100_000_000_000})
    monkeypatch.setattr(facts, "gpus", lambda: [{"index": 0}, {"index": 1}])


def missing(
    tmp_path: Path, words: list[str] | None = None, environ: Any = None, **needs: Any
) -> list[str]:
    environ = {"PATH": os.environ["PATH"], **(environ or {})}
    return preflight.missing(needs, words or ["sh"], tmp_path, environ, tmp_path)


def test_nothing_is_missing(tmp_path: Path):
    needs = {"memory_bytes": 8_000_000_000, "disk_bytes": 10**11, "gpus": 2, "cores": 4}
    assert missing(tmp_path, **needs) == []


@pytest.mark.parametrize(
    ("needs", "text"),
    [
        (
            {"memory_bytes": 9_000_000_000},
            "Received: 9.0 GB of memory. Expected: at most 8.0 GB, which are free here.",
        ),
        ({"disk_bytes": 2 * 10**11}, "Received: 200.0 GB of disk. Expected: at most 100.0 GB"),
        ({"gpus": 3}, "Received: 3 GPUs. Expected: at most 2, which nvidia-smi shows here."),
        ({"cores": 5}, "Received: 5 cores. Expected: at most 4, which this machine has."),
    ],
)
def test_what_is_missing_is_named(tmp_path: Path, needs: dict[str, int], text: str):
    [line] = missing(tmp_path, **needs)
    assert line.startswith(text)


def test_under_a_scheduler_the_limit_counts(tmp_path: Path):
    scheduled = {"SLURM_JOB_ID": "1"}
    assert missing(tmp_path, environ=scheduled, memory_bytes=16_000_000_000) == []
    assert "allowed here" in missing(tmp_path, environ=scheduled, memory_bytes=17_000_000_000)[0]


def test_what_an_earlier_attempt_has_written_needs_no_room_again(tmp_path: Path):
    (tmp_path / "big").write_bytes(b"")
    os.truncate(tmp_path / "big", 10**11)
    assert missing(tmp_path, disk_bytes=2 * 10**11) == []


def test_gpus_that_were_given_count(tmp_path: Path):
    assert missing(tmp_path, environ={"CUDA_VISIBLE_DEVICES": "0"}, gpus=2) != []
    assert missing(tmp_path, environ={"CUDA_VISIBLE_DEVICES": "0,1,2"}, gpus=3) == []


@pytest.mark.parametrize("program", ["no-such-program", "./gone", "/etc/passwd", "/tmp"])
def test_a_command_that_cannot_be_started_is_named(tmp_path: Path, program: str):
    [line] = missing(tmp_path, [program])
    assert line.startswith(f"Received: command {program}. Expected: ")


def test_a_program_beside_the_script_is_found(tmp_path: Path):
    (tmp_path / "run.sh").write_text("#!/bin/sh\n")
    (tmp_path / "run.sh").chmod(0o755)
    assert missing(tmp_path, ["./run.sh"]) == []


def test_a_missing_folder_is_named(tmp_path: Path):
    [line] = preflight.missing({}, ["sh"], tmp_path / "gone", dict(os.environ), tmp_path)
    assert "gone" in line
