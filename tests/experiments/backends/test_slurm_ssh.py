"""A cluster whose front end is reached by ssh: the same as here, by the user's own ssh."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ddl.experiments.agent.whole import read_json
from ddl.experiments.backends.backend import ENDED
from tests.experiments.backends.slurm_store import SlurmStore
from tests.experiments.beds.slurm import SlurmBed
from tests.experiments.beds.sshd import HOST, running_sshd
from tests.packages import find_program

COMMANDS = ("sbatch", "squeue", "scancel", "sinfo", "scontrol", "sacct")


@pytest.fixture
def front_end(
    slurm_bed: SlurmBed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[SlurmStore]:
    """Return a store whose Slurm is there only behind ssh: this process has none of its settings."""
    commands = tmp_path / "commands"
    commands.mkdir()
    for name in COMMANDS:
        settings = f"export SLURM_CONF={slurm_bed.environment['SLURM_CONF']}"
        (commands / name).write_text(f'#!/bin/sh\n{settings}\nexec {find_program(name)} "$@"\n')
        (commands / name).chmod(0o755)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    with monkeypatch.context() as there:
        there.setenv("PATH", str(commands), prepend=":")
        running = running_sshd(tmp_path / "sshd")
        running.__enter__()
    try:
        monkeypatch.setenv("PATH", str(tmp_path / "sshd" / "bin"), prepend=":")
        yield SlurmStore(slurm_bed, tmp_path / "store", ssh=HOST)
    finally:
        running.__exit__(None, None, None)
        slurm_bed.cancel_all()


def test_an_attempt_is_handed_over_and_found_through_ssh(front_end: SlurmStore):
    attempt = front_end.submit("echo hello", env={"ODD": "a 'b' $c"})
    status = front_end.wait_for_end(attempt.folder)
    assert status["outcome"] == "finished"
    front_end.wait(lambda: front_end.seen(attempt)[0].state == ENDED, "it still runs")
    assert front_end.seen(attempt)[0].id == attempt.id
    facts = front_end.backend.facts()
    assert facts["slurm"]["partition"] == "main"


@pytest.mark.proof
def test_an_experiment_goes_to_a_cluster_that_does_not_see_the_store_and_its_results_come_back(
    front_end: SlurmStore,
):
    store = SlurmStore(front_end.bed, front_end.made.path.parent / "laptop", ssh=HOST, shared=False)
    run_out = 'echo "hello from $DDL_STORE"; echo result > "$DDL_RUN_DIR/result.csv"'
    experiment = store.experiment(
        f'[ -e "$DDL_RUN_DIR/result.csv" ] || {{ {run_out}; exit 75; }}', outputs=("run/*.csv",)
    )
    deadline = time.monotonic() + 60
    while store.state(experiment) != "finished":
        assert time.monotonic() < deadline, store.story()
        store.sync()
    assert experiment.attempt_numbers() == [
        1,
        2,
    ]  # the second one was submitted from within the job
    told = experiment.attempt(1).out_log.read_text()
    assert told.startswith("hello from ")
    assert str(store.made.path) not in told
    assert read_json(experiment.attempt(2).intent)["by"] == "agent"
