"""Two ranks behind a slow link: local steps come near what arithmetic allows, (step + wire) / (step + wire / H)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.launch import REPOSITORY
from tests.packages import require_programs
from tests.ranks import call_ranks
from tests.training.parallel.slow_link import time_modes

H = 16
NAMES = ("ddl-slow-a", "ddl-slow-b")
ADDRESSES = ("10.77.0.1", "10.77.0.2")
AGENT = """#!/bin/sh
# mpirun's way to the other machine: agent [-options] HOST COMMAND...
while [ "${1#-}" != "$1" ]; do shift; done
shift
exec ip netns exec NAME unshare --uts sh -c "hostname NAME; $*"
"""


def request(size: int, width: int, depth: int, batch: int, **more: Any) -> dict[str, Any]:
    """Return what `time_modes` takes: epochs of H steps on two ranks."""
    fields = {
        "data": "synthetic", "data_option": {"count": 2 * batch * H}, "image_size": size,
        "model_option": {"width": width, "depth": depth, "norm": "batch"},
        "per_rank_batch_size": batch,
    }  # fmt: skip
    return {"fields": fields, "sync_every": H, "delay_s": 0.02, "bytes_per_s": 0.0, **more}


def check(found: dict[str, float]) -> None:
    """Check a result of `time_modes`: the demand, and that there was something to gain."""
    assert found["allowed"] > 1.3, found
    assert found["faster"] >= 0.8 * found["allowed"], found


@pytest.mark.proof
@pytest.mark.alone
def test_a_slow_reduction_costs_a_sixteenth(tmp_path: Path) -> None:
    slow = {"sync_epochs": 2, "local_epochs": 4, "bytes_per_s": 1e5}
    check(call_ranks(time_modes, tmp_path, request(32, 4, 2, 4, **slow), timeout_s=300)[0])


@pytest.fixture
def link(tmp_path: Path) -> Iterator[Path]:
    """Make two network namespaces with a link of 100 Mbit/s, and return the rsh agent to the second one."""
    if os.geteuid() != 0:
        pytest.skip("network namespaces need root")
    require_programs(("ip", "tc", "unshare"), ("iproute2",))
    try:
        _make_link()
        agent = tmp_path / "agent.sh"
        agent.write_text(AGENT.replace("NAME", NAMES[1]))
        agent.chmod(0o755)
        yield agent
    finally:
        _remove_link()


def _remove_link() -> None:
    for name in NAMES:
        subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)


def _make_link() -> None:
    _remove_link()  # of a test that was killed
    for name in NAMES:
        added = subprocess.run(
            ["ip", "netns", "add", name], capture_output=True, text=True, check=False
        )
        if added.returncode:
            pytest.skip(f"this machine makes no network namespaces: {added.stderr.strip()}")
    ends = ("ddlslowa", "ddlslowb")
    _ip(
        "link",
        "add",
        ends[0],
        "netns",
        NAMES[0],
        "type",
        "veth",
        "peer",
        "name",
        ends[1],
        "netns",
        NAMES[1],
    )
    for name, end, address in zip(NAMES, ends, ADDRESSES, strict=True):
        _ip("-n", name, "addr", "add", f"{address}/24", "dev", end)
        _ip("-n", name, "link", "set", "lo", "up")
        _ip("-n", name, "link", "set", end, "up")
        rate = ("rate", "100mbit", "burst", "64kb", "latency", "200ms")
        _ip("netns", "exec", name, "tc", "qdisc", "add", "dev", end, "root", "tbf", *rate)


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], capture_output=True, check=True)


@pytest.mark.long("slow_link")
@pytest.mark.timeout(3000)
def test_two_ranks_behind_100_mbit_and_20_ms(
    link: Path, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    asked = request(32, 16, 4, 4, sync_epochs=2, local_epochs=4)
    mpi = {
        "plm_rsh_agent": str(link), "btl": "tcp,self",
        "btl_tcp_if_include": "10.77.0.0/24", "oob_tcp_if_include": "10.77.0.0/24",
    }  # fmt: skip
    command = [
        *("mpirun", "-np", "2", "--host", ",".join(f"{address}:1" for address in ADDRESSES)),
        *(word for name, value in mpi.items() for word in ("--mca", name, value)),
        *("-x", "PATH", "-x", "PYTHONPATH", "-x", "OMP_NUM_THREADS"),
        *(sys.executable, "-m", "tests.training.parallel.slow_link"),
        *(str(tmp_path), json.dumps(asked)),
    ]
    here = f'hostname {NAMES[0]}; exec "$@"'
    inside = ["ip", "netns", "exec", NAMES[0], "unshare", "--uts", "sh", "-c", here, "sh", *command]
    root = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    own = {"PATH": path, "PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        inside, env=os.environ | root | own, cwd=REPOSITORY, capture_output=True, text=True,
        timeout=2900, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads((tmp_path / "result.json").read_text())
    for name, value in found.items():
        record_property(name, round(value, 4))
    check(found)
    assert found["local_mib_an_epoch"] <= found["sync_mib_an_epoch"] / 15
