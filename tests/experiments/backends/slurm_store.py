"""A store on a real Slurm, used by one test: experiments, attempts, and what becomes of them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ddl.experiments.agent.layout import AttemptFolder, ExperimentFolder
from ddl.experiments.agent.whole import read_json
from ddl.experiments.backends.backend import Attempt, Seen
from ddl.experiments.backends.slurm import SlurmBackend
from ddl.experiments.backends.transport import open_transport
from ddl.experiments.engine.nodes_file import NODES_NAME, to_json
from ddl.experiments.engine.sync import Report, sync
from ddl.experiments.spec.node import Node, Nodes
from ddl.experiments.spec.records import Experiment, Run
from ddl.experiments.store.view import read_view
from tests.experiments.beds.slurm import SlurmBed
from tests.experiments.made_store import MadeStore, write

ROOT = Path(__file__).resolve().parents[3]


class SlurmStore:
    """A store whose experiments run on a bed of Slurm."""

    def __init__(self, bed: SlurmBed, folder: Path, **node: Any) -> None:
        """Create the store. `node` are fields of `Node`."""
        self.bed = bed
        self.made = MadeStore(folder)
        self.node = Node(**{"name": "cluster", "type": "slurm", "shared": True, **node})
        self.backend = SlurmBackend(self.node, open_transport(self.node.ssh))
        nodes = Nodes(nodes={"cluster": self.node}, default="cluster")
        write(self.made.path / NODES_NAME, to_json(nodes))

    def experiment(self, script: str, **fields: Any) -> ExperimentFolder:
        """Make a wanted experiment whose command is a script of sh. `fields` are those of Experiment and Run."""
        run_names = ("stop_signal", "stop_grace_s", "ranks", "env", "own")
        run_fields = {name: fields.pop(name) for name in run_names if name in fields}
        argv = ("sh", "-c", script.replace("{", "{{").replace("}", "}}"))
        run = Run(argv=argv, folder=str(self.made.path), **run_fields)
        folder = self.made.plain(run=run, node="cluster", **fields)
        self.made.want(folder)
        return folder

    def attempt(self, folder: ExperimentFolder, **changes: Any) -> Attempt:
        """Write the intent of its next attempt, as the engine does. Hands nothing over."""
        numbers = folder.attempt_numbers()
        attempt = folder.attempt(numbers[-1] + 1 if numbers else 1)
        record = Experiment.from_json(json.loads(folder.experiment.read_text()))
        intent = {
            "format": 1,
            "name": f"ddl-{self.made.store.id}-{record.number:03d}-a{attempt.number}",
            "number": attempt.number,
            "node": "cluster",
            "backend": "slurm",
            "created": time.time(),
            "by": "manager",
            "reason": "first",
            "root": str(self.made.path),
            "setup": self.node.setup,
            "env": dict(self.node.env),
            **self.backend.intent_parts(record, str(attempt.path)),
            **changes,
        }
        write(attempt.intent, intent)
        return Attempt.read(attempt)

    def submit(self, script: str, **fields: Any) -> Attempt:
        """Make an experiment and hand its first attempt over."""
        attempt = self.attempt(self.experiment(script, **fields))
        submitted = self.backend.hand_over(attempt)
        write(attempt.folder.submitted, {"id": submitted.id, "where": submitted.where, "time": 0})
        return Attempt.read(attempt.folder)

    def sync(self, **arguments: Any) -> Report:
        """Reconcile the store once, as the verb does."""
        return sync(self.made.path, **arguments)

    def manager(self, verb: str, *words: str, fault: str = "") -> int:
        """Run a verb in a process of its own, which dies at a fault point. Return its status."""
        script = str(ROOT / "scripts/experiments.py")
        done = subprocess.run(
            [sys.executable, script, verb, "--store", str(self.made.path), *words],
            env=os.environ | {"DDL_FAULT": fault},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode in (0, 3, -9), done.stderr
        return done.returncode

    def gaps_s(self, folder: ExperimentFolder) -> list[float]:
        """Return the seconds from the end of each attempt to the claim of the next one."""
        gaps = []
        for number in folder.attempt_numbers()[:-1]:
            ended = read_json(folder.attempt(number).status)["ended"]
            following = folder.attempt(number + 1).claim(0) / "identity.json"
            gaps.append(read_json(following)["started"] - ended)
        return gaps

    def state(self, folder: ExperimentFolder) -> str:
        """Return the state of an experiment."""
        views = read_view(self.made.path).experiments
        return next(view.state for view in views if view.folder.path == folder.path)

    def seen(self, attempt: Attempt) -> list[Seen]:
        """Return the jobs of an attempt."""
        return self.backend.observe([attempt])[attempt.name]

    def wait_for_end(self, folder: AttemptFolder, timeout_s: float = 30) -> Mapping[str, Any]:
        """Wait for the status of an attempt, and return it."""
        self.wait(lambda: folder.status.exists(), f"no {folder.status}", timeout_s)
        return read_json(folder.status)

    def wait(self, is_true: Callable[[], Any], what: str, timeout_s: float = 30) -> None:
        """Wait until something is true."""
        deadline = time.monotonic() + timeout_s
        while not is_true():
            assert time.monotonic() < deadline, f"{what}\n{self.story()}"
            time.sleep(0.05)

    def story(self) -> str:
        """Return what the jobs and Slurm wrote."""
        logs = sorted(self.made.path.glob("*/attempts/*/*.log"))
        texts = [f"{path}:\n{path.read_text(errors='replace')[-500:]}\n" for path in logs]
        return "".join([self.bed.run("squeue", "-t", "all"), *texts, self.bed.log()])
