"""Our U-Net on two ranks over the time limits of a real Slurm, by the agent and by the scripts of the docs.

The limit is three minutes, the training takes eight, and no manager runs. It ends with the bits of an undisturbed run.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import re
import shlex
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from ddl.experiments.agent.whole import read_json
from ddl.experiments.backends.backend import Attempt
from ddl.experiments.spec.records import Needs, Run
from tests.experiments.backends.slurm_store import SlurmStore
from tests.experiments.beds.slurm import SlurmBed
from tests.launch import REPOSITORY, Job, require
from tests.training.interrupted_runs import SCRIPT, SYNCED, differences

pytestmark = pytest.mark.timeout(7200)

TRAINING_S = 480.0
LIMIT_S = 180.0
PAGE = REPOSITORY / "docs" / "interruptions.md"
PLAN = tuple("count=900" if word == "count=45" else word for word in SYNCED)
FIRST_EPOCHS = 4


@dataclass(frozen=True)
class Undisturbed:
    """A run that nothing disturbed: its folder, and its number of epochs."""

    run_dir: Path
    epochs: int


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Undisturbed:
    """Train for about eight minutes without Slurm; the first epochs tell how many that are."""
    require("mpirun")
    folder = tmp_path_factory.mktemp("undisturbed")
    _train(folder / "trial", FIRST_EPOCHS)
    lines = (folder / "trial" / "history.jsonl").read_text().splitlines()
    times = [json.loads(line)["seconds"] for line in lines][1:]
    epochs = math.ceil(TRAINING_S / (sum(times) / len(times)))
    start = time.monotonic()
    _train(folder / "run", epochs)
    print(f"undisturbed: {epochs} epochs in {time.monotonic() - start:.0f} s")
    return Undisturbed(folder / "run", epochs)


def _train(run_dir: Path, epochs: int) -> None:
    words = [SCRIPT, "--run-dir", run_dir, *PLAN, "--epochs", str(epochs)]
    result = Job(words, 2, "mpirun").wait(3600)
    assert result.returncode == 0, result.output


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SlurmBed]:
    """Start a Slurm of one node with two cores, as a user has it who has activated this Python."""
    with contextlib.ExitStack() as stack:
        bed = stack.enter_context(SlurmBed(nodes=1, cores=2))
        programs = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        values: Mapping[str, str] = {
            **bed.environment,
            "PATH": programs,
            "HOME": str(tmp_path),
            "PYTHONPATH": str(REPOSITORY),
            "OMP_NUM_THREADS": "1",
            "OMPI_MCA_hwloc_base_binding_policy": "none",  # the machine is shared with others
            "OMPI_ALLOW_RUN_AS_ROOT": "1",
            "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
        }
        for name, value in values.items():
            monkeypatch.setenv(name, value)
        yield bed


@pytest.mark.long("slurm")
@pytest.mark.parametrize("launcher", ["mpirun -np 2", "horovodrun -np 2"])
def test_the_agent_carries_a_training_over_time_limits_bit_for_bit(
    cluster: SlurmBed, undisturbed: Undisturbed, tmp_path: Path, launcher: str
):
    store = SlurmStore(cluster, tmp_path / "store", signal_before_s=30)
    words = f"{launcher} {sys.executable} {SCRIPT} --run-dir {{run_dir}} --resume auto"
    argv = (*words.split(), *PLAN, "--epochs", str(undisturbed.epochs))
    run = Run(
        argv=argv,
        folder=str(REPOSITORY),
        stop_signal="USR1",
        stop_grace_s=120,
        ranks=2,
        own=SCRIPT.name,
    )
    experiment = store.made.plain(run=run, node="cluster", needs=Needs(time_s=LIMIT_S))
    store.made.want(experiment)
    attempt = store.attempt(experiment)
    store.backend.hand_over(attempt)
    model = experiment.run_dir / "model.keras"
    store.wait(lambda: model.exists() or _has_failed(store, attempt), "not trained", 5400)
    store.wait(lambda: not cluster.run("squeue", "-h"), "jobs are left", 60)
    outcomes = [
        read_json(experiment.attempt(number).status).get("outcome")
        for number in experiment.attempt_numbers()
    ]
    gaps_s = store.gaps_s(experiment)
    print(f"{launcher}: {outcomes}, gaps {[round(gap, 1) for gap in gaps_s]} s")
    assert "finished" in outcomes
    assert outcomes.count("continue") >= 2
    assert max(gaps_s) < 20
    assert differences(experiment.run_dir, undisturbed.run_dir) == []


def _has_failed(store: SlurmStore, attempt: Attempt) -> bool:
    """Return whether nothing is in the queue any more: the chain has ended."""
    return attempt.folder.status.exists() and not store.bed.run("squeue", "-h")


@pytest.mark.long("slurm")
@pytest.mark.parametrize(
    ("number", "requeue"),
    [(0, False), (1, False), (0, True)],
    ids=["mpirun", "horovodrun", "requeue"],
)
def test_the_scripts_of_the_docs_go_on_over_time_limits_bit_for_bit(
    cluster: SlurmBed, undisturbed: Undisturbed, tmp_path: Path, number: int, requeue: bool
):
    script = _as_tried(_scripts()[number], undisturbed.epochs)
    if requeue:
        script = script.replace("--no-requeue", "--requeue")
        script = re.sub(r"sbatch --dependency\S+ \"\$0\"", "scontrol requeue $SLURM_JOB_ID", script)
    for name in ("scripts", "tests", "ddl"):
        (tmp_path / name).symlink_to(REPOSITORY / name)
    path = tmp_path / "train.sh"
    path.write_text(script)
    cluster.run("sbatch", "--chdir", str(tmp_path), str(path))
    run_dir = tmp_path / "runs" / "cells"
    deadline = time.monotonic() + 5400
    while cluster.run("squeue", "-h"):
        assert time.monotonic() < deadline, _outputs(tmp_path)
        time.sleep(1)
    log = (run_dir / "log.txt").read_text()
    print(f"script {number}, requeue {requeue}: stopped {log.count('Stopped by')} times")
    assert (run_dir / "model.keras").exists(), _outputs(tmp_path)
    assert log.count("Stopped by") >= 2
    assert differences(run_dir, undisturbed.run_dir) == []


def _scripts() -> list[str]:
    """Return the scripts for Slurm in the docs."""
    blocks = re.findall(r"```bash\n(.*?)```", PAGE.read_text(), re.DOTALL)
    return [block for block in blocks if "#SBATCH" in block]


def _as_tried(script: str, epochs: int) -> str:
    """Return a script of the docs with a limit of three minutes, two ranks and a small training."""
    plan = " ".join(map(shlex.quote, (*PLAN, "--epochs", str(epochs))))
    changes = {
        "--time=04:00:00": "--time=00:03:00",
        "--ntasks=8": "--ntasks=2",
        "-np 8": "-np 2",
        "B:USR1@120": "B:USR1@30",
        "--time-limit-min 236": "--time-limit-min 2",
        "--data cells.h5 --epochs 200": plan,
    }
    for before, after in changes.items():
        script = script.replace(before, after)
    assert "cells.h5" not in script
    return script


def _outputs(folder: Path) -> str:
    return "".join(
        path.read_text(errors="replace")[-2000:] for path in sorted(folder.glob("*.out"))
    )
