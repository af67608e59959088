"""What a machine has: GPUs by a fake nvidia-smi, disk, cores."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from ddl.experiments.agent.node import facts, resources
from ddl.experiments.agent.node.processes import find
from tests.experiments.agent.worlds import World, lines_of, wait_for

MIB = 1 << 20
LINES = "0, NVIDIA A100-SXM4-40GB, 40960, 40000, 7\n1, NVIDIA A100-SXM4-40GB, 40960, 960, [N/A]\n"


@pytest.fixture
def smi(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Return a function that puts a nvidia-smi into PATH."""
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)

    def write(text: str) -> None:
        path = tmp_path / "bin" / "nvidia-smi"
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)
        monkeypatch.setenv("PATH", f"{path.parent}:{os.environ['PATH']}")

    return write


def test_gpus_are_read(smi):
    smi(f"printf '{LINES}'".replace("\n", "\\n"))
    first, second = facts.gpus()
    assert first == {
        "index": 0,
        "name": "NVIDIA A100-SXM4-40GB",
        "memory_bytes": 40960 * MIB,
        "free_bytes": 40000 * MIB,
        "use": 0.07,
    }
    assert second["use"] is None
    assert facts.visible_gpus() == ["0", "1"]


def test_gpus_that_were_given_are_the_ones_to_give_out(smi, monkeypatch: pytest.MonkeyPatch):
    smi("exit 1")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3, 5")
    assert facts.visible_gpus() == ["3", "5"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert facts.visible_gpus() == []


@pytest.mark.parametrize(
    "text",
    ["exit 9", "echo 'NVIDIA-SMI has failed because'", "echo; echo a,b,c,d", "printf '\\377'"],
)
def test_a_broken_driver_means_no_gpus(smi, text: str):
    smi(text)
    assert facts.gpus() == []


def test_a_driver_that_hangs_means_no_gpus(smi, monkeypatch: pytest.MonkeyPatch):
    smi("exec sleep 60")
    monkeypatch.setattr(facts, "_SMI_WAIT_S", 0.2)
    assert facts.gpus() == []


def test_the_disk_of_a_folder_to_come_is_that_of_its_parent(tmp_path: Path):
    found = facts.disk(tmp_path / "a" / "b")
    assert found["folder"] == str(tmp_path)
    assert 0 < found["free_bytes"] <= found["total_bytes"]


def test_facts_are_json(tmp_path: Path):
    told = json.loads(json.dumps(facts.facts(tmp_path)))
    assert {"host", "boot_id", "time", "cores", "load", "memory", "disk", "gpus", "python"} == set(
        told
    )
    assert len(told["load"]) == 3


def test_a_sample_has_gpus_of_this_command_only(smi, tmp_path: Path):
    smi(f"printf '{LINES}'".replace("\n", "\\n"))
    sampler = resources.Sampler(os.getpid(), tmp_path / "r.jsonl", tmp_path, "1")
    sampler.begin()
    wait_for(lambda: sampler.step() or (tmp_path / "r.jsonl").exists())
    [line] = lines_of(tmp_path / "r.jsonl")
    assert line["gpus"] == [
        {"index": 1, "memory_bytes": 40000 * MIB, "total_bytes": 40960 * MIB, "use": None}
    ]
    assert line["memory_bytes"] > 1 << 20
    assert line["processes"] >= 1
    assert sampler.peak_bytes == line["memory_bytes"]
    assert line["cores_used"] is None  # a rate needs two samples


def test_a_hanging_nvidia_smi_holds_up_nothing(
    smi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    smi("exec sleep 60")
    monkeypatch.setattr(resources, "_SMI_LIMIT_S", 0.2)
    sampler = resources.Sampler(os.getpid(), tmp_path / "r.jsonl", tmp_path, None)
    for count in range(4):
        sampler.begin()
        wait_for(lambda more=count: sampler.step() or len(lines_of(tmp_path / "r.jsonl")) > more)
    assert sampler._smi._failures == 3  # and then it is left alone
    assert find(os.getpid()) is not None


def test_resources_keep_their_size(tmp_path: Path):
    path = tmp_path / "r.jsonl"
    for number in range(500):
        resources.append_bounded(path, {"n": number}, most_bytes=1000)
    numbers = [line["n"] for line in lines_of(path)]
    assert path.stat().st_size <= 1010
    assert numbers == sorted(numbers)
    assert numbers[-1] == 499
    assert numbers[0] < 250


def test_a_full_disk_ends_no_training(tmp_path: Path):
    (tmp_path / "r.jsonl").symlink_to("/dev/full")
    resources.append_bounded(tmp_path / "r.jsonl", {"n": 1})


def test_an_attempt_leaves_samples_and_its_peak(world: World):
    line = "head -c 60000000 /dev/zero | tail -c 50000000 | sleep 1"
    attempt = world.shell(1, line)
    world.start(attempt)
    status = world.status(attempt)
    assert lines_of(attempt.resources)[0]["disk_free_bytes"] > 0
    assert status["peak_memory_bytes"] > 1 << 20
