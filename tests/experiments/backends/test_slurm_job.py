"""The words for sbatch and the script of a job, as templates; what may not stand in them."""

from __future__ import annotations

import subprocess
from typing import Any

import pytest

from ddl.experiments.backends.slurm_job import (
    check_words,
    filled,
    script_of,
    signal_before_s,
    words_of,
)
from ddl.experiments.spec.node import Node
from ddl.experiments.spec.records import Experiment, Needs, Run

FOLDER = "/data/cells/003-lr0.1/attempts/1"


def record(ranks: int | None = None, **needs: Any) -> Experiment:
    return Experiment(run=Run(argv=("true",), ranks=ranks), needs=Needs(**needs))


def node(**fields: Any) -> Node:
    return Node(name="cluster", type="slurm", **fields)


def test_needs_become_flags():
    words = words_of(
        record(ranks=4, time_s=14400, memory_bytes=16 << 30, gpus=2, cores=10),
        node(partition="gpu"),
        FOLDER,
    )
    assert "--time=0-04:00:00" in words
    assert "--mem=16384M" in words
    assert "--gres=gpu:2" in words
    assert {"--nodes=1", "--ntasks=4", "--cpus-per-task=3", "--partition=gpu"} <= set(words)


def test_what_is_not_needed_is_not_asked_for():
    words = " ".join(words_of(record(), node(), FOLDER))
    assert not any(flag in words for flag in ("--time", "--mem", "--gres", "--cpus", "--partition"))


def test_the_users_flags_change_resources_but_not_what_the_fence_needs():
    words = words_of(record(), node(sbatch=("--nodes=2", "--requeue", "-J", "mine")), FOLDER)
    place = {word: number for number, word in enumerate(words)}
    assert place["--nodes=1"] < place["--nodes=2"]
    assert place["--requeue"] < place["--no-requeue"]
    assert place["mine"] < place["--job-name={name}"]


@pytest.mark.parametrize(
    "sbatch",
    [
        ("--array=1-4",),
        ("-a", "1-4"),
        ("-a1-4",),
        ("--wrap=true",),
        ("--wait",),
        ("-W",),
        ("--test-only",),
        ("script.sh",),
        ("--account=me", "script.sh"),
        (":",),
    ],
)
def test_flags_that_make_other_jobs_are_refused(sbatch: tuple[str, ...]):
    with pytest.raises(ValueError, match=r"Received: sbatch: .* of node cluster\. Expected: "):
        check_words(node(sbatch=sbatch))


@pytest.mark.parametrize(
    ("before_s", "limit_s", "expected"),
    [(120, 14400, 120), (120, 180, 60), (120, None, 120), (0, 600, 1), (10**6, None, 65535)],
)
def test_the_signal_leaves_two_thirds_of_a_short_limit(
    before_s: float, limit_s: float | None, expected: int
):
    assert signal_before_s(record(time_s=limit_s), node(signal_before_s=before_s)) == expected


def test_a_pattern_in_the_folders_name_is_not_given_to_slurm():
    assert "--output=/dev/null" in words_of(record(), node(), "/data/100%j/attempts/1")
    assert "--output={attempt_dir}/slurm.log" in words_of(record(), node(), FOLDER)


def test_a_script_runs_the_folder_of_its_own_name(tmp_path):
    odd = tmp_path / "a b'c$(x)" / "attempts"
    script = script_of("echo", "agent.pyz", str(odd / "1"))
    ready = filled({"argv": ["--after={after}"], "stdin": script}, "ddl-0-003-a12", "", "77")
    assert ready["argv"] == ["--after=77"]
    done = subprocess.run(
        ["bash"], input=ready["stdin"], capture_output=True, text=True, check=True, timeout=10
    )
    assert done.stdout.splitlines()[1] == f"agent.pyz run {odd}/12"
