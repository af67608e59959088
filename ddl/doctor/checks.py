"""The checks that must pass for training to work, each with a remedy."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ddl.doctor import allreduce
from ddl.doctor.waiting import waiting_for

_SETUP = "run ./setup.sh (or `python -m ddl.install`) again"
_REMEDY_ALLREDUCE = {
    "mpi": "check that `mpirun -np 2 hostname` works; in a container without shared memory set "
    "OMPI_MCA_btl=tcp,self; until then, use `horovodrun --gloo`",
    "gloo": "check that this machine's host name resolves (`getent hosts $(hostname)`), and set the "
    "network with HOROVOD_GLOO_IFACE=lo or eth0",
}


@dataclass(frozen=True)
class Check:
    """The result of one check: what was found, and what to do if it is not `ok`."""

    name: str
    ok: bool
    finding: str
    remedy: str = ""


def of_facts(facts: Mapping[str, Any]) -> list[Check]:
    """Return the checks that need only the collected facts."""
    horovod = facts["horovod"]
    if "error" in horovod:
        return [Check("imports", False, horovod["error"], _SETUP)]
    checks = [Check("imports", True, "TensorFlow and Horovod import")]
    checks.append(_same_tensorflow(facts))
    if horovod["mpi"]:
        finding = facts["mpi"].get("mpirun", "no mpirun on PATH or beside this Python")
        remedy = f"load the MPI module that Horovod was built with, or {_SETUP}"
        checks.append(Check("mpirun", bool(facts["mpi"]), finding, remedy))
    if facts["gpus"]:
        checks.append(_gpus(facts))
    return checks


def _same_tensorflow(facts: Mapping[str, Any]) -> Check:
    """Check that Horovod was built for the installed TensorFlow, whose C++ interface changes with each version."""
    versions, built_for = facts["versions"], facts["built_for"]
    here = versions.get("tensorflow") or versions.get("tensorflow-cpu", "")
    if not built_for:
        return Check("Horovod's TensorFlow", True, "Horovod was not built by ddl's setup")
    then = built_for["tensorflow"]["version"]
    finding = f"built for {then}, installed {here}"
    return Check("Horovod's TensorFlow", then == here, finding, _SETUP)


def _gpus(facts: Mapping[str, Any]) -> Check:
    """Check that TensorFlow and NCCL can use the GPUs, unless they are hidden on purpose."""
    horovod, count = facts["horovod"], len(facts["gpus"])
    hidden = os.environ.get("CUDA_VISIBLE_DEVICES") in ("", "-1")
    chosen_cpu = os.environ.get("DDL_ACCELERATOR") == "cpu"
    finding = f"driver: {count}, TensorFlow: {len(horovod['gpus'])}, NCCL: {horovod['nccl']}"
    ok = hidden or chosen_cpu or (len(horovod["gpus"]) == count and horovod["nccl"])
    remedy = "run DDL_ACCELERATOR=gpu ./setup.sh; to train on CPUs anyway, set DDL_ACCELERATOR=cpu"
    return Check("GPUs", ok, finding, remedy)


def of_ranks(facts: Mapping[str, Any]) -> list[Check]:
    """Return the checks that start two real ranks, one for each controller of Horovod."""
    if "error" in facts["horovod"]:
        return []
    controllers = [name for name in ("mpi", "gloo") if facts["horovod"][name]]
    if not controllers:
        return [Check("all-reduce", False, "Horovod was built with neither MPI nor Gloo", _SETUP)]
    return [_allreduce(controller) for controller in controllers]


def _allreduce(controller: str) -> Check:
    name = f"all-reduce of {allreduce.RANKS} ranks, {controller.upper()}"
    with waiting_for(name, allreduce.TIMEOUT_S):
        result = allreduce.check(controller)
    if "error" in result:
        return Check(name, False, result["error"], _REMEDY_ALLREDUCE[controller])
    speeds = [
        f"{allreduce.named_size(int(size))} {speed:g} MB/s"
        for size, speed in result["mb_per_s"].items()
    ]
    return Check(name, True, f"correct on {result['device']}; " + ", ".join(speeds))
