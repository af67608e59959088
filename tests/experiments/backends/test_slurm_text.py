"""What Slurm prints, in the words of several versions, and what none of them should print."""

from __future__ import annotations

import pytest

from ddl.experiments.backends.backend import ENDED, RUNNING, UNKNOWN, WAITING, Seen
from ddl.experiments.backends.slurm_text import (
    accounted_of,
    gpus_in,
    is_refusal,
    job_id_of,
    jobs_of,
    merged,
    never_starts,
    pairs_of,
    seconds_of,
    state_of,
    time_of,
)


def line(job="12", name="a", state="RUNNING", code="0", reason="None", restarts="0") -> str:
    words = (job, name, state, restarts, code, "1795773511", "1:05", "n1", reason)
    return "|".join(word.ljust(20) for word in words) + "\n"


def test_a_job_is_read_with_its_times_and_restarts():
    (seen,) = jobs_of(line(restarts="2"), ["a"])["a"]
    assert (seen.id, seen.state, seen.raw, seen.restarts) == ("12", RUNNING, "RUNNING", 2)
    assert (seen.start, seen.elapsed_s, seen.node) == (1795773511.0, 65.0, "n1")


def test_jobs_of_a_name_come_in_the_order_of_their_numbers():
    found = jobs_of(line(job="100") + line(job="99") + line(job="7", name="b"), ["a", "c"])
    assert [seen.id for seen in found["a"]] == ["99", "100"]
    assert found["c"] == []
    assert "b" not in found


def test_a_reason_may_hold_bars_and_commas():
    reason = "(Nodes required for job are DOWN, DRAINED | reserved)"
    (seen,) = jobs_of(line(state="PENDING", reason=reason), ["a"])["a"]
    assert seen.reason == reason


@pytest.mark.parametrize(
    ("code", "exit_status"),
    [("0", "0:0"), ("1024", "4:0"), ("9", "0:9"), ("4:0", "4:0"), ("N/A", ""), ("", "")],
)
def test_an_ended_job_has_its_state_as_reason_and_its_status(code: str, exit_status: str):
    (seen,) = jobs_of(line(state="FAILED", code=code, reason="NonZeroExitCode"), ["a"])["a"]
    assert (seen.state, seen.reason, seen.exit) == (ENDED, "FAILED", exit_status)


def test_a_line_of_something_else_is_no_answer():
    with pytest.raises(ValueError, match="none of squeue's"):
        jobs_of("slurm_load_jobs: something\n", ["a"])


@pytest.mark.parametrize(
    ("raw", "state"),
    [
        ("PENDING", WAITING),
        ("REQUEUE_HOLD", WAITING),
        ("COMPLETING", RUNNING),
        ("SUSPENDED", RUNNING),
        ("OUT_OF_MEMORY", ENDED),
        ("NODE_FAIL", ENDED),
        ("HIBERNATING", UNKNOWN),
        ("", UNKNOWN),
    ],
)
def test_states_of_slurm_have_our_words(raw: str, state: str):
    assert state_of(raw) == state


def test_accounting_is_read_and_what_it_takes_for_alive_is_forgotten():
    text = "1|a|CANCELLED by 1000|0:15\n2|b|RUNNING|0:0\nSlurm says hello\n3|x|FAILED|1:0\n"
    found = accounted_of(text, ["a", "b", "c"])
    assert [(seen.reason, seen.exit) for seen in found["a"]] == [("CANCELLED", "0:15")]
    assert [(seen.state, seen.reason) for seen in found["b"]] == [(ENDED, "FORGOTTEN")]
    assert found["c"] == []


def test_the_queue_counts_more_than_accounting():
    queue = {"a": [Seen(id="1", state=RUNNING)], "b": []}
    accounted = {"a": [Seen(id="1", state=ENDED)], "b": [Seen(id="2", state=ENDED)]}
    assert merged(queue, accounted) == {"a": queue["a"], "b": accounted["b"]}


@pytest.mark.parametrize(
    "reason", ["BadConstraints", "PartitionConfig", "DependencyNeverSatisfied", "(PartitionConfig)"]
)
def test_reasons_that_no_waiting_helps_against_are_found(reason: str):
    assert reason.strip("()") in never_starts(Seen(state=WAITING, reason=reason))


@pytest.mark.parametrize(
    "reason",
    [
        "Priority",
        "Resources",
        "ReqNodeNotAvail, UnavailableNodes:n[1-2]",
        "Nodes required for job are DOWN, DRAINED or reserved for jobs in higher priority partitions",
        "PartitionDown",
        "PartitionInactive",
        "JobHeldUser",
        "",
    ],
)
def test_other_reasons_are_waited_for(reason: str):
    assert never_starts(Seen(state=WAITING, reason=reason)) == ""
    assert never_starts(Seen(state=RUNNING, reason="BadConstraints")) == ""


@pytest.mark.parametrize(
    "said",
    [
        "sbatch: error: Batch job submission failed: Socket timed out on send/recv operation",
        "sbatch: error: Batch job submission failed: Unable to contact slurm controller (connect failure)",
        "sbatch: error: Batch job submission failed: Zero Bytes were transmitted or received",
        "sbatch: error: Batch job submission failed: Transport endpoint is not connected",
        "sbatch: error: Slurm temporarily unable to accept job, sleeping and retrying",
        (
            "sbatch: error: Batch job submission failed: Job violates accounting/QOS policy (job submit limit, user's "
            "size and/or time limits)"
        ),
        "sbatch: error: Batch job submission failed: Invalid Protocol Version",
        "sbatch: error: Batch job submission failed: Invalid authentication credential",
        "sbatch: error: Batch job submission failed: Required partition not available (inactive or drain)",
        "sbatch: fatal: Unable to process configuration file",
        "sbatch: error: something new",
        "",
    ],
)
def test_after_these_errors_the_job_may_run(said: str):
    assert not is_refusal(said)


@pytest.mark.parametrize(
    "said",
    [
        "sbatch: error: Batch job submission failed: Requested node configuration is not available",
        "sbatch: error: Batch job submission failed: Invalid partition name specified",
        "sbatch: error: Batch job submission failed: Invalid account or account/partition combination specified",
        "sbatch: error: Batch job submission failed: User's group not permitted to use this partition",
        "sbatch: error: Batch job submission failed: Requested time limit is invalid (missing or exceeds some limit)",
        "sbatch: unrecognized option '--foo'\nTry \"sbatch --help\" for more information",
        "sbatch: error: Invalid --time specification",
        "sbatch: error: Memory specification can not be satisfied",
    ],
)
def test_these_errors_are_refusals(said: str):
    assert is_refusal(said)


@pytest.mark.parametrize(
    ("stdout", "job"),
    [
        ("17\n", "17"),
        ("17;cluster\n", "17"),
        ("Welcome to the cluster\nSubmitted batch job 18\n", "18"),
        ("19\nlast 24 hours: quiet\n", "19"),
        ("", ""),
        ("error 17 of 18\n", ""),
    ],
)
def test_the_job_id_is_found_among_a_sites_own_lines(stdout: str, job: str):
    assert job_id_of(stdout) == job


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1-00:00:00", 86400),
        ("2-12", 216000),
        ("00:05:00", 300),
        ("10:00", 600),
        ("30", 1800),
        ("UNLIMITED", None),
        ("infinite", None),
        ("NONE", None),
        ("N/A", None),
        ("", None),
    ],
)
def test_times_of_slurm_are_read(text: str, seconds: float | None):
    assert seconds_of(text) == seconds


@pytest.mark.parametrize("seconds", [1, 59, 60, 3599, 86400, 90061, 31 * 86400])
def test_times_are_read_as_they_are_written(seconds: int):
    assert seconds_of(time_of(seconds)) == seconds


def test_parts_of_a_second_are_not_lost():
    assert time_of(59.2) == "0-00:01:00"


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("gpu:4", 4),
        ("gpu:a100:4(S:0-1)", 4),
        ("gpu:a100:2(IDX:0-1),gpu:v100:1(IDX:2),fs:ssd:1", 3),
        ("(null)", 0),
        ("nvgpu:2", 0),
        ("", 0),
    ],
)
def test_gpus_are_counted(text: str, count: int):
    assert gpus_in(text) == count


def test_values_with_spaces_stay_whole():
    found = pairs_of("PartitionName=main MaxTime=1-00:00:00 Reason=not so well State=UP")
    assert found["Reason"] == "not so well"
    assert found["State"] == "UP"
