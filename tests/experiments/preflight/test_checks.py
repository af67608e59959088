"""Needs beside facts: what fits, what fits later, what never fits, and what nobody knows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from ddl.experiments.preflight.checks import (
    LATER,
    NO,
    OK,
    UNKNOWN,
    Check,
    check_needs,
    unmet,
    worst,
)
from ddl.experiments.spec.node import Node
from ddl.experiments.spec.records import Experiment, Needs, Run

GIB = 1 << 30
HERE = Node(name="here")
CLUSTER = Node(name="cluster", type="slurm")
MACHINE: Mapping[str, Any] = {
    "cores": 8,
    "memory": {"total_bytes": 32 * GIB, "available_bytes": 10 * GIB},
    "disk": {"free_bytes": 100 * GIB},
    "gpus": [{"index": 0}, {"index": 1}],
}


def record(ranks: int | None = None, **needs: Any) -> Experiment:
    return Experiment(run=Run(argv=("true",), ranks=ranks), needs=Needs(**needs))


def verdicts(checks: list[Check]) -> dict[str, str]:
    return {check.what: check.verdict for check in checks}


def machine(**changes: Any) -> dict[str, Any]:
    known = {
        "name": "n1",
        "state": "idle",
        "usable": True,
        "cores": 16,
        "free_cores": 16,
        "memory_bytes": 64 * GIB,
        "free_memory_bytes": 64 * GIB,
        "gpus": 4,
        "free_gpus": 4,
    }
    return {**known, **changes}


def cluster(*machines: dict[str, Any], **partition: Any) -> dict[str, Any]:
    known = {
        "name": "main",
        "state": "UP",
        "max_time_s": 7200.0,
        "default_time_s": 3600.0,
        "machines": list(machines),
    }
    return {
        "slurm": {"partition": "main", "partitions": [{**known, **partition}]},
        "disk": {"free_bytes": 100 * GIB},
    }


@pytest.mark.parametrize(
    ("needs", "expected"),
    [
        ({}, {}),
        ({"cores": 8}, {"cores": OK}),
        ({"cores": 9}, {"cores": NO}),
        ({"memory_bytes": 10 * GIB}, {"memory": OK}),
        ({"memory_bytes": 11 * GIB}, {"memory": LATER}),
        ({"memory_bytes": 33 * GIB}, {"memory": NO}),
        ({"gpus": 2}, {"GPUs": OK}),
        ({"gpus": 3}, {"GPUs": NO}),
        ({"disk_bytes": 100 * GIB}, {"disk": OK}),
        ({"disk_bytes": 101 * GIB}, {"disk": NO}),
    ],
)
def test_a_machine_is_compared_with_each_need(needs: dict[str, int], expected: dict[str, str]):
    assert verdicts(check_needs(record(**needs), HERE, MACHINE)) == expected


def test_each_rank_needs_a_core():
    assert verdicts(check_needs(record(ranks=9), HERE, MACHINE)) == {"cores": NO}


def test_what_a_machine_does_not_tell_is_unknown_and_not_held_against_it():
    needs = record(cores=1, memory_bytes=1, gpus=1, disk_bytes=1)
    assert set(verdicts(check_needs(needs, HERE, {})).values()) == {UNKNOWN}
    assert unmet(needs, HERE, {}) == ""


def test_gpus_that_may_be_used_are_those_of_the_nodes_file():
    few = Node(name="here", gpus=1)
    assert verdicts(check_needs(record(gpus=2), few, MACHINE)) == {"GPUs": NO}
    assert "3 GPUs wanted, there are 2" in unmet(record(gpus=3), HERE, MACHINE)


def test_a_cluster_with_room_is_ok_in_all():
    wanted = record(ranks=4, cores=8, memory_bytes=32 * GIB, gpus=2, time_s=3600, disk_bytes=GIB)
    assert set(verdicts(check_needs(wanted, CLUSTER, cluster(machine()))).values()) == {OK}


@pytest.mark.parametrize(
    ("needs", "what"),
    [
        ({"cores": 17}, "cores"),
        ({"memory_bytes": 65 * GIB}, "memory"),
        ({"gpus": 5}, "GPUs"),
        ({"time_s": 7201}, "time"),
    ],
)
def test_what_no_node_of_a_partition_has_is_no(needs: dict[str, int], what: str):
    facts = cluster(machine(), machine(cores=2, gpus=0))
    assert verdicts(check_needs(record(**needs), CLUSTER, facts))[what] == NO
    assert unmet(record(**needs), CLUSTER, facts)


def test_an_attempt_needs_all_on_one_node():
    facts = cluster(machine(gpus=0), machine(memory_bytes=GIB))
    checks = check_needs(record(gpus=4, memory_bytes=32 * GIB), CLUSTER, facts)
    assert verdicts(checks)["nodes"] == NO


def test_the_partitions_limit_of_memory_counts():
    facts = cluster(machine(), max_memory_bytes=16 * GIB)
    assert verdicts(check_needs(record(memory_bytes=17 * GIB), CLUSTER, facts))["memory"] == NO


@pytest.mark.parametrize(
    "machines",
    [
        (machine(free_gpus=1),),
        (machine(usable=False, state="drained"),),
    ],
)
def test_a_busy_or_drained_node_is_waited_for(machines: tuple[dict[str, Any], ...]):
    checks = check_needs(record(gpus=2), CLUSTER, cluster(*machines))
    assert verdicts(checks)["nodes"] == LATER
    assert unmet(record(gpus=2), CLUSTER, cluster(*machines)) == ""


def test_an_unknown_partition_is_no_and_the_known_ones_are_named():
    (check,) = check_needs(record(), Node(name="c", type="slurm", partition="gpu"), cluster())
    assert (check.verdict, check.what) == (NO, "partition")
    assert "there are main" in check.text


def test_a_partition_that_is_down_is_waited_for():
    facts = cluster(machine(), state="DRAIN")
    assert verdicts(check_needs(record(), CLUSTER, facts))["partition"] == LATER


def test_a_time_that_was_not_said_is_told_with_what_slurm_takes():
    checks = {check.what: check for check in check_needs(record(), CLUSTER, cluster(machine()))}
    assert checks["time"].verdict == UNKNOWN
    assert "after 1h" in checks["time"].text


def test_a_cluster_that_tells_nothing_is_unknown():
    (check,) = check_needs(record(gpus=1), CLUSTER, {})
    assert check.verdict == UNKNOWN
    assert unmet(record(gpus=1), CLUSTER, {}) == ""


def test_the_worst_verdict_counts():
    assert worst([Check(OK, "a", ""), Check(LATER, "b", ""), Check(UNKNOWN, "c", "")]) == UNKNOWN
    assert worst([Check(UNKNOWN, "a", ""), Check(NO, "b", "")]) == NO
    assert worst([]) == OK
