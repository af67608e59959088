"""The pool of ranks: a call gives every rank's result, or fails as readably as a launch of its own."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from tests.launch import REPOSITORY
from tests.ranks import RanksFailed, call_ranks, probes, wire
from tests.ranks import pool as pool_module


def pids() -> list[int]:
    """Return the processes of the job that most tests here share."""
    return list(call_ranks(probes.pid))


def failure(
    function: Callable[..., Any] | str, *args: Any, timeout_s: float = 60.0, **how: Any
) -> str:
    """Return the message of a call that must fail, and check that the next one works."""
    with pytest.raises(RanksFailed) as caught:
        call_ranks(function, *args, timeout_s=timeout_s, **how)
    assert call_ranks(probes.weighed_sum, np.ones(1), 1.0) == [3.0, 3.0]
    return str(caught.value)


def test_ranks_reduce_and_answer_in_their_order() -> None:
    numbers = np.arange(3, dtype=np.float32)
    for result in call_ranks(probes.weighed_sum, numbers, 2.0):
        np.testing.assert_array_equal(result, numbers * 6)
        assert result.dtype == np.float32


def test_a_job_is_started_once() -> None:
    first = pids()
    assert pids() == first
    assert len(set(first)) == 2


@pytest.mark.parametrize("launcher", ["horovodrun-mpi", "horovodrun-gloo", "none"])
def test_every_launcher_has_its_job(launcher: str) -> None:
    ranks = 1 if launcher == "none" else 2
    results = call_ranks(probes.weighed_sum, np.ones(1), 1.0, ranks=ranks, launcher=launcher)
    assert results == [[3.0], [3.0]][:ranks] or results == [[1.0]]


def test_what_the_ranks_printed_comes_with_the_results() -> None:
    results = call_ranks(probes.say)
    assert results == [None, None]
    for rank, printed in enumerate(results.printed):
        lines = [f"rank {rank} to standard output", f"rank {rank} to standard error"]
        assert sorted(printed.splitlines()) == sorted([*lines, "past Python"])


def test_a_call_finds_nothing_of_the_one_before() -> None:
    before = call_ranks(probes.traces)
    call_ranks(probes.leave_traces)
    assert call_ranks(probes.traces) == before
    assert before[0]["folder"] == REPOSITORY
    assert before[0]["name"] == "dense"
    assert before[0]["drawn"] != before[1]["drawn"]


def test_an_exception_on_one_rank_ends_the_call_at_once() -> None:
    before, started = pids(), time.monotonic()
    text = failure(probes.raise_on, 1)
    assert time.monotonic() - started < 60
    assert "rank 0 did not answer in time, rank 1 raised." in text
    assert "RuntimeError: my bug on rank 1" in text
    assert re.search(r"rank 0 was here:\n(.*\n)*.*probes.py.* in raise_on", text)
    assert "rank 0 printed:\nrank 0 begins" in text
    assert not set(before) & set(pids())


def test_an_exception_on_all_ranks_keeps_the_job() -> None:
    before = pids()
    text = failure(probes.raise_on, -1)
    assert "my bug on rank 0" in text
    assert "my bug on rank 1" in text
    assert pids() == before


def test_a_killed_rank_is_named() -> None:
    text = failure(probes.kill_on, 1)
    assert re.search(r"rank 1 \(host .*\) died|signal 9 \(Killed\)", text), text
    assert "rank 1 died" in text


@pytest.mark.parametrize(
    ("ranks", "launcher"), [(1, "none"), pytest.param(2, "mpirun", marks=pytest.mark.proof)]
)
def test_a_deadline_names_the_rank_and_where_it_was(ranks: int, launcher: str) -> None:
    how = {"ranks": ranks, "launcher": launcher}
    before, victim = call_ranks(probes.pid, **how), ranks - 1
    text = failure(probes.sleep_on, victim, timeout_s=3, **how)
    others = "rank 0 returned, " * victim
    assert f"3 s): {others}rank {victim} did not answer in time." in text
    assert re.search(rf"rank {victim} was here:\n(.*\n)*.*probes.py.* in sleep_on", text)
    assert not any(psutil.pid_exists(number) for number in before)


def test_a_wrong_function_name_lists_the_others() -> None:
    before = pids()
    text = failure("tests.ranks.probes:nothing")
    assert "Received: 'tests.ranks.probes:nothing'. Expected one of" in text
    assert "kill_on, leave_traces" in text
    assert "No module named 'tests.nowhere'" in failure("tests.nowhere:nothing")
    assert pids() == before


def test_a_result_that_cannot_be_sent_is_named() -> None:
    assert "Cannot send value['result']['deep'][1]" in failure(probes.unsendable)
    with pytest.raises(TypeError, match=r"Cannot send value\['args'\]\[0\].*builtins.object"):
        call_ranks(probes.identity, object())


def test_a_job_that_does_not_start_shows_its_output() -> None:
    with pytest.raises(RanksFailed, match=r"did not start(.*\n)*.*DDL_STALL_TIMEOUT_S=never"):
        call_ranks(probes.pid, env={"DDL_STALL_TIMEOUT_S": "never"})


def test_a_job_too_many_ends_another_and_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool_module, "_jobs", {})
    monkeypatch.setattr(pool_module, "MOST_RANKS", 1)
    (first,) = call_ranks(probes.pid, ranks=1, launcher="none")
    folder = next(iter(pool_module._jobs.values()))._folder
    assert psutil.pid_exists(first)
    assert folder.is_dir()
    (second,) = call_ranks(probes.pid, ranks=1, launcher="none", env={"DDL_TEST": "second"})
    assert not psutil.pid_exists(first)
    assert not folder.exists()
    pool_module.close_all()
    assert not psutil.pid_exists(second)


def test_ranks_end_when_their_test_session_is_killed() -> None:
    program = "from tests.ranks import *; from tests.ranks import probes; import os, sys;"
    program += "print(call_ranks(probes.pid, ranks=1, launcher='none'), flush=True); os.kill(os.getpid(), 9)"
    killed = subprocess.run(
        [sys.executable, "-c", program], cwd=REPOSITORY, capture_output=True, text=True, check=False
    )
    (rank,) = json.loads(killed.stdout)
    assert killed.returncode == -9
    psutil.wait_procs([psutil.Process(rank)] if psutil.pid_exists(rank) else [], timeout=10)
    assert not psutil.pid_exists(rank)


def test_idle_ranks_use_no_processor_time() -> None:
    processes = [psutil.Process(number) for number in pids()]
    before = [sum(process.cpu_times()[:2]) for process in processes]
    time.sleep(2)
    used = [sum(p.cpu_times()[:2]) - b for p, b in zip(processes, before, strict=True)]
    assert max(used) < 0.3, used


def test_values_arrive_as_they_were_sent() -> None:
    import ml_dtypes

    value = {
        "none": None,
        "words": ["a", {"b": True}, 3, float("inf")],
        "path": Path("/a/b"),
        "scalar": np.float32(0.1),
        "empty": np.zeros((0, 3), np.int8),
        "narrow": np.ones((2, 2), ml_dtypes.bfloat16),
        "strided": np.arange(6).reshape(2, 3).T,
    }
    (found,) = call_ranks(probes.identity, value, ranks=1, launcher="none")
    assert found["words"] == value["words"]
    for name in ("scalar", "empty", "narrow", "strided"):
        assert found[name].dtype == value[name].dtype
        np.testing.assert_array_equal(found[name], value[name])
    assert (found["none"], found["path"]) == (None, value["path"])


def test_a_message_is_data_alone() -> None:
    assert b"object" not in wire.encode({"a": [1, "b"]})
    with pytest.raises(TypeError, match="keys"):
        wire.encode({1: "a"})
