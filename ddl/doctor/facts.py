"""Facts about this installation: versions, Horovod's build, MPI, GPUs, cores, memory and settings. Read-only."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

from ddl import machine
from ddl.distributed.job import launcher
from ddl.install import host
from ddl.install.environment import ProbeError, ask

IMPORT_TIMEOUT_S = 180  # enough for a cold import from a network disk; a warm one takes 4 s

_SETTINGS = re.compile(
    r"(OMPI|PMIX|PMI|HOROVOD|OMP|KMP|SLURM|NCCL|KERAS|CUDA|DDL)_|TF_(CPP|NUM|GPU|XLA|ENABLE|FORCE)_|LD_LIBRARY_PATH$"
)

_FRAMEWORK_PROBE = """
import json
import horovod.tensorflow as hvd
import tensorflow as tf
print(json.dumps({
    "mpi": bool(hvd.mpi_built()), "gloo": bool(hvd.gloo_built()), "nccl": bool(hvd.nccl_built()),
    "cuda": bool(hvd.cuda_built()), "tensorflow_cuda": tf.test.is_built_with_cuda(),
    "gpus": [
        tf.config.experimental.get_device_details(gpu).get("device_name", gpu.name)
        for gpu in tf.config.list_physical_devices("GPU")
    ],
}))
"""


def collect() -> dict[str, Any]:
    """Return all facts as JSON values. Imports TensorFlow in a separate process."""
    return {
        "versions": machine.versions(),
        "horovod": framework(),
        "built_for": built_for(),
        "mpi": mpi(),
        "gpus": machine.driver_gpus(),
        "cores": cores(),
        "memory_gb": round(machine.available_memory_bytes() / 1e9, 1),
        "settings": machine.settings(os.environ, _SETTINGS),
    }


def framework() -> dict[str, Any]:
    """Return what Horovod was built with and the GPUs that TensorFlow sees, or {"error": reason}."""
    python = Path(sys.executable)
    try:
        facts: dict[str, Any] = ask(python, _FRAMEWORK_PROBE, os.environ, IMPORT_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        return {"error": f"importing TensorFlow and Horovod took over {IMPORT_TIMEOUT_S} s"}
    except ProbeError as error:
        return {"error": str(error)}
    return facts


def built_for() -> dict[str, Any]:
    """Return the key of the installed Horovod wheel, or {} if ddl's setup did not build it."""
    path = Path(sysconfig.get_path("platlib"), "horovod/ddl_build.json")
    try:
        key: dict[str, Any] = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return {name: key[name] for name in ("tensorflow", "mpi", "compiler", "options", "cuda")}


def mpi() -> dict[str, str]:
    """Return path and version of `mpirun`, or {} without one."""
    mpirun = find_mpirun()
    return {"mpirun": mpirun, "version": host.first_line([mpirun, "--version"])} if mpirun else {}


def find_mpirun() -> str | None:
    """Return the mpirun that horovodrun calls: the one in this Python's `bin`, else the one on PATH."""
    path = os.pathsep.join([sysconfig.get_path("scripts"), os.environ.get("PATH", "")])
    return shutil.which("mpirun", path=path)


def cores() -> dict[str, Any]:
    """Return the usable cores, and the threads per rank for some numbers of local ranks."""
    usable = launcher.usable_cores()
    counts = sorted({1, 2, *(2**k for k in range(usable.bit_length())), usable})
    return {
        "machine": os.cpu_count(),
        "allowed": len(launcher.affinity()),
        "quota": launcher.cpu_quota(),
        "usable": usable,
        "threads_per_rank": {str(ranks): launcher.threads_per_rank(ranks) for ranks in counts},
    }
