"""Which rank or machine failed, from what jobs really print."""

from __future__ import annotations

import pytest

from ddl.elastic.blame import Reader

RANKS = {"n1": 2, "n2.cluster.org": 1}
HOUSE = (
    "ddl: rank 2 (host node-2, pid 4711) died (killed, crashed or out of memory). Ending the job.\n"
)
SIGNAL = (
    "mpirun noticed that process rank 0 with PID 0 on node vm exited on signal 15 (Terminated).\n"
)
EXIT = "  Process name: [[13480,1],0]\n"


def read(*lines: str) -> Reader:
    """Return a reader that has read these lines."""
    reader = Reader(RANKS)
    for line in lines:
        reader.read(line)
    return reader


@pytest.mark.parametrize(
    ("line", "rank", "host", "whole"),
    [
        (HOUSE, 2, "n2.cluster.org", False),
        ("[1,0]<stderr>:" + HOUSE, 2, "n2.cluster.org", False),
        ("ddl: rank 1 (host x, pid 9) failed:\n", 1, "n1", False),
        (
            "ddl: rank 2 (host x, pid 9) has sent no heartbeat for 51 s: it",
            2,
            "n2.cluster.org",
            True,
        ),
        ("ddl: rank 0 (host x, pid 9) is stalled at a.py:3 in f, while", 0, "n1", False),
        (SIGNAL, 0, "n1", False),
        (
            "ssh: Could not resolve hostname n2: Name or service not known",
            None,
            "n2.cluster.org",
            True,
        ),
        ("ssh: connect to host n1 port 22: Connection refused", None, "n1", True),
        ("ssh: connect to host other port 22: Connection refused", None, None, True),
        ("  Remote daemon: [[36245,0],1] on node n2", None, "n2.cluster.org", True),
        ("Process 1 exit with status code -9.", 1, "n1", False),
        (EXIT, 0, "n1", False),
        ("ddl: rank 7 (host x, pid 9) failed:", 7, None, False),
    ],
)
def test_a_line_names_a_rank_or_a_machine(
    line: str, rank: int | None, host: str | None, whole: bool
) -> None:
    blame = read("Epoch 1\n", line).blame
    assert (blame.rank, blame.host, blame.whole_host) == (rank, host, whole)
    assert blame.reason in line


@pytest.mark.parametrize("lines", [(HOUSE, SIGNAL, EXIT), (EXIT, SIGNAL, HOUSE)])
def test_our_own_line_counts_most(lines: tuple[str, ...]) -> None:
    assert read(*lines).blame.rank == 2


def test_the_first_of_our_lines_counts() -> None:
    assert read(HOUSE, HOUSE.replace("rank 2", "rank 0")).blame.rank == 2


def test_a_silent_rank_of_the_only_machine_is_no_reason_to_leave_it_out() -> None:
    reader = Reader({"localhost": 2})
    reader.read("ddl: rank 1 (host x, pid 9) has sent no heartbeat for 51 s: it")
    assert not reader.blame.whole_host


def test_other_lines_blame_nobody() -> None:
    assert read("Epoch 1: loss 0.3\n", "rank 1 died\n").blame.rank is None
