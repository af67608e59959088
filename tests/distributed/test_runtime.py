"""The runtime with one rank and with several, under every launcher."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from unittest import mock

import pytest

import ddl.distributed as dist
from ddl.distributed import runtime, start
from ddl.distributed.job import cpu_affinity
from ddl.distributed.job.launcher import placement
from tests.launch import run_ranks
from tests.ranks import call_ranks

COLLECTIVES = "tests.distributed.collectives"
PROGRAM = Path(__file__).with_name("runtime_program.py")


JOBS = [("mpirun", 3), ("horovodrun-mpi", 2), ("horovodrun-gloo", 2)]


@pytest.mark.parametrize(
    ("launcher", "ranks"),
    [("mpirun", 2), *(pytest.param(*job, marks=pytest.mark.proof) for job in JOBS)],
)
def test_a_start_is_quiet_and_shares_the_cores(launcher: str, ranks: int) -> None:
    result = run_ranks(PROGRAM, ranks, launcher, timeout_s=90)
    assert result.returncode == 0, result.output
    # Only rank 0 speaks, and of TensorFlow's start-up messages nothing is left but horovodrun's own, which imports it
    # too and writes no rank before its lines.
    lines = [
        line for line in result.output.splitlines() if line.startswith("[") or launcher == "mpirun"
    ]
    assert not any("oneDNN" in line for line in lines), result.output
    assert sum("UserWarning: a warning" in line for line in lines) == 1, result.output
    facts = json.loads(result.output[result.output.index("{") : result.output.rindex("}") + 1])
    assert facts["ranks"] == list(range(ranks))
    assert facts["threads"] == [1] * ranks
    assert facts["yields"] == "1"
    # Where there are enough, each rank has its own.
    shares = [set(one) for one in facts["cores"]]
    everything = os.sched_getaffinity(0)
    assert set.union(*shares) == everything
    assert sum(len(one) for one in shares) == len(everything) * (
        1 if ranks <= len(everything) else ranks
    )


@pytest.mark.parametrize(("launcher", "ranks"), JOBS)
def test_collectives_agree_under_every_launcher(launcher: str, ranks: int) -> None:
    for facts in call_ranks(f"{COLLECTIVES}:collectives", ranks=ranks, launcher=launcher):
        assert facts["ranks"] == list(range(ranks))
        assert facts["sum"] == sum(range(1, ranks + 1))
        assert facts["mean"] == [(ranks + 1) / 2, 2.0]
        assert (facts["min"], facts["max"]) == (1, ranks)
        assert facts["broadcast"] == {"from": ranks - 1}
        assert facts["dtypes"] == ["float32", "float64", "int64", "float64"]


@pytest.mark.parametrize(("launcher", "ranks"), JOBS)
def test_horovods_thread_sleeps_while_nothing_is_reduced(launcher: str, ranks: int) -> None:
    assert max(call_ranks(f"{COLLECTIVES}:idle_cpu_s", ranks=ranks, launcher=launcher)) < 0.1


@pytest.mark.parametrize(("launcher", "ranks"), JOBS)
def test_no_rank_waits_until_horovods_thread_looks_by_itself(launcher: str, ranks: int) -> None:
    how = {"ranks": ranks, "launcher": launcher}
    assert max(call_ranks(f"{COLLECTIVES}:crossed_s", **how)) < 0.1
    assert max(call_ranks(f"{COLLECTIVES}:reduction_s", **how)) < 0.05


def test_one_rank_needs_no_horovod() -> None:
    """In a process that cannot import Horovod, and does not import TensorFlow."""
    program = """
import sys
sys.modules["horovod"] = None
import ddl.distributed as dist
dist.init(); dist.init()
assert (dist.rank(), dist.size(), dist.local_rank(), dist.local_size()) == (0, 1, 0, 1)
assert dist.is_root() and dist.is_initialized()
assert dist.broadcast("x") == "x" and dist.allgather(3) == [3]
assert dist.allreduce([1, 2]).tolist() == [1.0, 2.0] and dist.allreduce(2, "sum") == 2
dist.barrier(); dist.shutdown(); dist.shutdown()
assert not dist.is_initialized()
assert "tensorflow" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)


def run_as_rank(program: str, environ: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run a program as mpirun would start one of two ranks."""
    return subprocess.run(
        [sys.executable, "-c", program],
        env=environ | {"OMPI_COMM_WORLD_SIZE": "2"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_job_without_horovod_says_what_to_do() -> None:
    program = "import sys; sys.modules['horovod'] = None; import ddl.distributed as d; d.init()"
    result = run_as_rank(program, {"OMPI_COMM_WORLD_RANK": "0", "PATH": ""})
    assert result.returncode == 1
    assert "Run ./setup.sh, or `python -m ddl.install`" in result.stderr


@pytest.mark.parametrize("use", ["d.size()", "d.is_root()", "d.DistributedOptimizer('sgd')"])
def test_a_forgotten_init_is_an_error_in_a_job_of_several_ranks(use: str) -> None:
    environ = os.environ | {"OMPI_COMM_WORLD_RANK": "1"}
    result = run_as_rank(f"import ddl.distributed as d; {use}", environ)
    assert result.returncode == 1
    assert "mpirun started 2 ranks, but ddl.distributed.init() has not been called" in result.stderr


def test_bad_requests_are_refused_with_a_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        runtime, "_initialized", False
    )  # as it is before any other test has called `init`
    with pytest.raises(ValueError, match=r"op='median'. Expected one of: mean, sum, min, max"):
        dist.allreduce(1.0, op="median")
    with pytest.raises(ValueError, match=r"root=1. Expected: 0 to 0"):
        dist.broadcast(1, root=1)
    with pytest.raises(ValueError, match=r"stall_timeout_s=2.* Expected: seconds, 5 or more"):
        dist.init(stall_timeout_s=2)
    monkeypatch.setenv("DDL_STALL_TIMEOUT_S", "soon")
    with pytest.raises(ValueError, match="DDL_STALL_TIMEOUT_S=soon"):
        dist.init()
    with pytest.raises(RuntimeError, match=r"init\(\) called first"):
        runtime.horovod()


def test_every_public_name_exists() -> None:
    assert [name for name in dist.__all__ if not hasattr(dist, name)] == []
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = dist.nothing


def test_neighbours_share_a_processor_and_a_core(tmp_path: Path) -> None:
    """Two processors of two cores of two threads, numbered as Linux does: second threads last."""
    for core in range(8):
        topology = tmp_path / f"cpu{core}/topology"
        topology.mkdir(parents=True)
        (topology / "physical_package_id").write_text(f"{core % 4 // 2}\n")
        (topology / "core_id").write_text(f"{core % 2}\n")
    shares = [cpu_affinity.share_of(range(8), rank, 2, tmp_path) for rank in (0, 1)]
    assert shares == [{0, 1, 4, 5}, {2, 3, 6, 7}]
    assert [cpu_affinity.share_of(range(8), rank, 3, tmp_path) for rank in (0, 1, 2)] == [
        *({0, 4}, {1, 5, 2}, {6, 3, 7}),
    ]
    assert cpu_affinity.share_of({5, 3, 9}, 0, 2, tmp_path / "nothing") == {3}


def test_each_rank_takes_its_own_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """While `init` runs, the rank's place is not public yet: only what the launcher says is known."""
    tensorflow = mock.MagicMock()
    tensorflow.config.list_physical_devices.return_value = ["GPU 0", "GPU 1"]
    monkeypatch.setitem(sys.modules, "tensorflow", tensorflow)
    monkeypatch.setattr(runtime, "_initialized", False)
    for name in ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"):
        monkeypatch.setenv(name, "1")
    place = {"RANK": "1", "SIZE": "2", "LOCAL_RANK": "1", "LOCAL_SIZE": "2"}
    for name, value in place.items():
        monkeypatch.setenv(f"OMPI_COMM_WORLD_{name}", value)
    start._set_up_tensorflow(placement())
    tensorflow.config.set_visible_devices.assert_called_once_with("GPU 1", "GPU")
