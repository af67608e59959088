"""What the launchers' variables mean, and how the cores of a machine are shared."""

from __future__ import annotations

import os

import pytest

from ddl.distributed.job import launcher
from ddl.distributed.job.launcher import Placement, placement


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, Placement()),
        (
            {
                "OMPI_COMM_WORLD_SIZE": "8",
                "OMPI_COMM_WORLD_RANK": "5",
                "OMPI_COMM_WORLD_LOCAL_RANK": "1",
                "OMPI_COMM_WORLD_LOCAL_SIZE": "4",
            },
            Placement("mpirun", 5, 8, 1, 4),
        ),
        (
            {
                "HOROVOD_SIZE": "2",
                "HOROVOD_RANK": "1",
                "HOROVOD_LOCAL_RANK": "1",
                "HOROVOD_LOCAL_SIZE": "2",
                "OMPI_COMM_WORLD_SIZE": "1",  # horovodrun --gloo inside an allocation of one task
            },
            Placement("horovodrun", 1, 2, 1, 2),
        ),
        ({"PMI_SIZE": "3", "PMI_RANK": "2"}, Placement("mpiexec (PMI)", 2, 3, 0, 1)),
        (
            {
                "PMIX_RANK": "3",
                "SLURM_STEP_NUM_TASKS": "5",
                "SLURM_STEP_NUM_NODES": "2",
                "SLURM_LOCALID": "0",
            },
            Placement("srun", 3, 5, 0, 3),
        ),
        # A batch script itself has Slurm's variables too, and is no rank of anything.
        ({"SLURM_NTASKS": "16", "SLURM_PROCID": "0"}, Placement()),
    ],
)
def test_placement_is_what_the_launcher_says(environ: dict[str, str], expected: Placement) -> None:
    assert placement(environ) == expected


@pytest.mark.parametrize(
    ("own", "parent", "quota", "ranks", "threads"),
    [
        (range(8), range(8), None, 1, 8),
        (range(8), range(8), None, 2, 4),  # not bound: the ranks share what they all see
        ({3}, range(8), None, 2, 1),  # mpirun bound this rank to one core
        (range(4), range(8), None, 2, 4),  # bound to half of the machine
        (range(4), range(8), None, 4, 2),  # bound to half of the machine, two ranks each
        (range(64), range(64), 8.0, 4, 2),  # a container that may use 8 of 64 cores
        (range(2), range(2), None, 5, 1),  # more ranks than cores
        (range(2), set(), None, 2, 1),  # the parent is another user's
    ],
)
def test_cores_are_shared_among_local_ranks(
    monkeypatch: pytest.MonkeyPatch,
    own: set[int],
    parent: set[int],
    quota: float | None,
    ranks: int,
    threads: int,
) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr(launcher, "affinity", lambda pid=0: set(parent if pid else own))
    monkeypatch.setattr(launcher, "cpu_quota", lambda: quota)
    assert launcher.threads_per_rank(ranks) == threads


def test_a_number_of_threads_that_the_user_set_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    assert launcher.threads_per_rank(2) == 7


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"cpu.max": "250000 100000"}, 2.5),
        ({"cpu.max": "max 100000"}, None),
        ({"cpu/cpu.cfs_quota_us": "400000", "cpu/cpu.cfs_period_us": "100000"}, 4.0),
        ({"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, None),
        ({}, None),
    ],
)
def test_the_quota_of_a_container_is_read(tmp_path, files: dict[str, str], expected: float) -> None:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    assert launcher.cpu_quota(tmp_path) == expected


def test_affinity_of_a_process_that_is_gone_is_empty() -> None:
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)
    assert launcher.affinity(child) == set()
