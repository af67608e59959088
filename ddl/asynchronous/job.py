"""What server and workers need to know of a run, and how their processes prepare themselves."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ddl
from ddl.training.data.training_data import TrainingData, open_data
from ddl.training.plan.plan import Plan, plan_from_dict

if TYPE_CHECKING:
    from ddl.asynchronous.replica import Replica

SERVER = "server"
"""Name of the server's actor in the namespace of a run. One that replaces it has the same."""

_LAUNCHERS = ("OMPI_", "PMIX_", "PMI_", "HOROVOD_", "SLURM_STEP")


@dataclass(frozen=True)
class Job:
    """The run, as JSON values and numbers.

    Attributes:
        plan: as RUN_DIR/plan.json has it.
        facts: of the run, as a checkpoint has them.
        workers: N, the parts of a global batch.
        fingerprint: of the data.
        folder: in which relative paths of the plan begin.
    """

    plan: Mapping[str, Any]
    facts: Mapping[str, Any]
    workers: int
    fingerprint: str
    folder: str

    def open(self) -> tuple[TrainingData, Replica]:
        """Open the data and build the model, in a process of Ray's.

        Raises:
            ValueError: the data cannot be read here, or is not that of the run.
        """
        load_tensorflow()
        from ddl.asynchronous.replica import build_replica

        if Path(self.folder).is_dir():
            os.chdir(self.folder)
        plan = self.read_plan()
        data = open_data(plan)
        if data.fingerprint != self.fingerprint:
            raise ValueError(
                f"Received: other data in {plan.data} on {socket.gethostname()} than the run trains on. Expected: the "
                "same samples in the same order on all machines; data of a script's own has parallel=sync."
            )
        return data, build_replica(plan, data, self.workers, self.facts, initial=False)

    def read_plan(self) -> Plan:
        """Return the plan."""
        return plan_from_dict(self.plan)


def load_tensorflow() -> None:
    """Load what a process of Ray's computes with, outside the launcher that perhaps started Ray."""
    for name in list(os.environ):
        if name.startswith(_LAUNCHERS):
            del os.environ[name]
    import ddl.distributed as dist
    from ddl.distributed.job.quiet import loading_tensorflow

    dist.init()
    with loading_tensorflow():
        import ddl.asynchronous.gradient
        import ddl.asynchronous.replica  # noqa: F401


def process_environment() -> dict[str, str]:
    """Return the environment variables of a process of Ray's: a driver's own do not reach it."""
    passed = ("TF_", "KERAS_", "DDL_", "MPLCONFIGDIR", "XDG_CACHE_HOME")
    kept = {name: value for name, value in os.environ.items() if name.startswith(passed)}
    root = str(Path(ddl.__file__).resolve().parents[1])
    path = os.environ.get("PYTHONPATH", "")
    return {"TF_CPP_MIN_LOG_LEVEL": "2", **kept, "PYTHONPATH": f"{root}:{path}".rstrip(":")}


def actor_named(name: str) -> Any:
    """Return an actor of the run.

    Raises:
        ValueError: there is none.
    """
    import ray

    find: Any = ray.get_actor  # whose types say that it never returns
    return find(name)
