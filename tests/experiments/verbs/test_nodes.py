"""`nodes`: GPUs and their memory by a fake nvidia-smi, over ssh too; what cannot be reached is a line."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ddl.experiments.preflight.asking import Answer
from ddl.experiments.spec.node import Node
from ddl.experiments.verbs.nodes import lines_of
from tests.experiments.beds.sshd import Sshd, running_sshd
from tests.experiments.verbs.run import run_verb

SMI = """#!/bin/sh
echo '0, NVIDIA H100 80GB HBM3, 81559, 61200, 12'
echo '1, NVIDIA H100 80GB HBM3, 81559, 200, [N/A]'
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder that the verb runs in, with a fake nvidia-smi in PATH."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "nvidia-smi").write_text(SMI)
    (tmp_path / "bin" / "nvidia-smi").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("DDL_NODE_HOME", str(tmp_path / "node"))
    for name in ("DDL_STORE", "XDG_CONFIG_HOME", "XDG_RUNTIME_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def sshd(folder: Path) -> Iterator[Sshd]:
    """Start a server whose PATH has the fake nvidia-smi."""
    with running_sshd(folder / "sshd") as node:
        yield node


def test_this_machine_is_shown_without_any_list(folder: Path, capsys):
    done = run_verb(capsys, "nodes")
    assert done.status == 0
    assert done.lines[0].startswith("here (local, ")
    assert "memory free" in done.lines[0]
    assert "ours: 0 running, 0 waiting of 1 slots" in done.lines[0]
    assert done.lines[1:] == [
        "  GPU 0: NVIDIA H100 80GB HBM3, 64 GB of 86 GB free, 12% in use",
        "  GPU 1: NVIDIA H100 80GB HBM3, 210 MB of 86 GB free",
    ]


def test_gpus_are_shown_over_ssh_and_a_dead_node_is_a_line(folder: Path, sshd: Sshd, capsys):
    (folder / "nodes.yaml").write_text(
        "nodes:\n"
        "  tower: {type: ssh, ssh: node, slots: 2}\n"
        "  away: {type: ssh, ssh: nowhere.invalid}\n"
    )
    start = time.monotonic()
    done = run_verb(capsys, "nodes", "tower", "away")
    assert time.monotonic() - start < 20
    assert done.status == 0
    tower = next(line for line in done.lines if line.startswith("tower (ssh"))
    assert "of 2 slots" in tower
    assert "  GPU 0: NVIDIA H100 80GB HBM3, 64 GB of 86 GB free, 12% in use" in done.lines
    assert any(line.startswith("away: cannot be reached: ") for line in done.lines)


def test_json_has_all_facts(folder: Path, capsys):
    found = run_verb(capsys, "nodes", "--json").json
    assert found["here"]["reachable"] is True
    assert found["here"]["facts"]["gpus"][0]["free_bytes"] == 61200 << 20


def test_an_unknown_name_is_refused_with_the_known_ones(folder: Path, capsys):
    done = run_verb(capsys, "nodes", "tower")
    assert done.status == 2
    assert done.err == "experiments nodes: Received: node tower. Expected: some of here.\n"


def test_a_cluster_is_shown_by_its_partitions():
    machine = {"usable": True, "cores": 64, "free_cores": 12, "memory_bytes": 256 << 30}
    gpus = {"gpus": 4, "free_gpus": 1}
    partition = {
        "name": "gpu",
        "state": "UP",
        "max_time_s": 14400,
        "machines": [{**machine, **gpus}, {**machine, **gpus, "usable": False}],
        "queue": {"running": 7, "waiting": 3},
    }
    facts = {
        "host": "login1",
        "runner": {"queued": 2, "running": 1},
        "slurm": {"partition": "gpu", "partitions": [partition]},
    }
    node = Node(name="cluster", type="slurm", max_queued=20)
    lines = list(lines_of(Answer(node, facts)))
    assert lines == [
        "cluster (slurm, front end login1): ours: 1 running, 2 waiting (at most 20 at once)",
        (
            "  gpu*: 1 of 2 nodes up, 12 of 128 cores free, 1 of 8 GPUs free, 275 GB memory in the largest node, "
            "7 running, 3 waiting, limit 4h"
        ),
    ]
