"""Attempts on a real Slurm, by the agent: from the hand-over to their end, also when the controller hangs."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ddl.experiments.agent.whole import read_json
from ddl.experiments.backends.backend import ENDED, RUNNING, WAITING, Attempt
from ddl.experiments.backends.slurm_text import never_starts
from ddl.experiments.engine.seen import Limits, Patience
from ddl.experiments.preflight.checks import NO, OK, UNKNOWN, check_needs
from ddl.experiments.preflight.probe import check_by_scheduler
from ddl.experiments.problem import Unreachable
from ddl.experiments.spec.records import Experiment, Needs, Run
from tests.experiments.backends.slurm_store import SlurmStore

Slurm = Callable[..., SlurmStore]


def test_an_attempt_is_handed_over_trains_and_ends(slurm: Slurm):
    store = slurm(setup="export GREETING=hello")
    attempt = store.submit("echo $GREETING; echo $DDL_ATTEMPT")
    status = store.wait_for_end(attempt.folder)
    assert (status["outcome"], status["returncode"]) == ("finished", 0)
    assert attempt.folder.out_log.read_text() == f"hello\n{attempt.name}\n"
    identity = read_json(attempt.folder.claim(0) / "identity.json")
    assert identity["job_id"] == attempt.id
    store.wait(lambda: store.seen(attempt)[0].state == ENDED, "it still runs")
    seen = store.seen(attempt)[0]
    assert (seen.id, seen.reason, seen.exit) == (attempt.id, "COMPLETED", "0:0")
    assert "starts on" in (attempt.folder.path / "slurm.log").read_text()


def test_a_name_that_slurm_does_not_have_is_no_error(slurm: Slurm):
    store = slurm()
    attempt = store.attempt(store.experiment("true"))
    assert store.seen(attempt) == []


def test_both_jobs_of_a_name_are_found_and_only_one_trains(slurm: Slurm):
    store = slurm()
    attempt = store.attempt(store.experiment("echo trained; sleep 0.5"))
    ids = [store.backend.hand_over(attempt).id for _ in range(2)]
    store.wait_for_end(attempt.folder)
    store.wait(lambda: {job.state for job in store.seen(attempt)} == {ENDED}, "one still runs")
    assert [job.id for job in store.seen(attempt)] == ids
    assert attempt.folder.out_log.read_text() == "trained\n"


def test_a_hung_controller_is_unreachable_and_the_job_that_it_took_is_found_by_name(slurm: Slurm):
    store = slurm()
    attempt = store.attempt(store.experiment("echo trained"))
    with store.bed.hung_controller():
        with pytest.raises(Unreachable, match="looked for by its name"):
            store.backend.hand_over(attempt)
        with pytest.raises(Unreachable, match="squeue ended with status 1"):
            store.seen(attempt)
    store.wait(lambda: store.seen(attempt), "the job never came")
    store.wait_for_end(attempt.folder)
    assert len(store.seen(attempt)) == 1
    assert attempt.folder.out_log.read_text() == "trained\n"


@pytest.mark.parametrize(
    ("needs", "node", "expected"),
    [
        (Needs(memory_bytes=10**15), {}, "Requested node configuration is not available"),
        (Needs(gpus=1), {}, "Invalid generic resource"),
        (Needs(), {"partition": "nowhere"}, "Invalid partition name"),
        (Needs(), {"sbatch": ("--foo",)}, "unrecognized option"),
        (Needs(), {"sbatch": ("--constraint=fast",)}, "Invalid feature specification"),
    ],
)
def test_what_slurm_refuses_is_refused(
    slurm: Slurm, needs: Needs, node: dict[str, object], expected: str
):
    store = slurm(**node)
    attempt = store.attempt(store.experiment("true", needs=needs))
    with pytest.raises(ValueError, match=expected):
        store.backend.hand_over(attempt)
    assert {job.state for job in store.seen(attempt)} <= {ENDED}


def test_what_waits_for_ever_is_told(slurm: Slurm):
    store = slurm()
    attempt = store.submit("true", needs=Needs(cores=64))
    store.wait(lambda: never_starts(store.seen(attempt)[0]), "no reason")
    assert "PartitionConfig" in never_starts(store.seen(attempt)[0])


def test_a_waiting_job_is_stopped_for_good(slurm: Slurm):
    store = slurm()
    attempt = store.submit("echo trained", needs=Needs(cores=64))
    store.backend.stop(attempt, "stop", "user", "not needed")
    store.backend.stop(attempt, "stop", "user", "not needed")
    assert store.seen(attempt)[0].state == ENDED
    assert read_json(attempt.folder.status)["outcome"] == "stopped"


def test_a_running_job_is_asked_for_a_checkpoint(slurm: Slurm):
    store = slurm()
    attempt = store.submit(
        'trap "echo checkpoint; exit 75" USR1; echo started; while :; do sleep 0.1; done',
        stop_signal="USR1",
    )
    store.wait(lambda: "started" in _text(attempt.folder.out_log), "it never started")
    assert store.seen(attempt)[0].state == RUNNING
    store.backend.stop(attempt, "pause", "user", "dinner")
    status = store.wait_for_end(attempt.folder)
    assert (status["outcome"], status["returncode"]) == ("paused", 75)
    assert attempt.folder.out_log.read_text() == "started\ncheckpoint\n"
    assert attempt.folder.experiment.attempt_numbers() == [1]


def test_of_a_double_the_given_job_is_cancelled(slurm: Slurm):
    store = slurm()
    attempt = store.attempt(store.experiment("true", needs=Needs(cores=64)))
    first, second = (store.backend.hand_over(attempt).id for _ in range(2))
    store.backend.cancel(second)
    store.backend.cancel(second)
    store.backend.cancel("999999")
    states = {job.id: job.state for job in store.seen(attempt)}
    assert states == {first: WAITING, second: ENDED}


def test_an_attempt_hands_over_to_its_successors_without_a_manager(slurm: Slurm):
    store = slurm()
    count = (
        'n=$(cat "$DDL_RUN_DIR/n" 2>/dev/null || echo 0); n=$((n+1)); echo $n > "$DDL_RUN_DIR/n"'
    )
    attempt = store.submit(f"{count}; [ $n -ge 3 ] || exit 75", stop_signal="USR1")
    experiment = attempt.folder.experiment
    assert store.wait_for_end(experiment.attempt(3))["outcome"] == "finished"
    assert experiment.attempt_numbers() == [1, 2, 3]
    assert [read_json(experiment.attempt(n).status)["outcome"] for n in (1, 2)] == ["continue"] * 2
    assert read_json(experiment.attempt(3).intent)["name"] == attempt.name[:-1] + "3"
    for gap_s in store.gaps_s(experiment):
        assert gap_s < 20


def test_no_text_of_a_user_is_read_by_a_shell(slurm: Slurm, tmp_path: Path):
    mark = tmp_path / "touched"
    odd = f"a b'c\"d$(touch {mark.name})`touch {mark.name}`;touch {mark.name} %j \\n #é"
    store = slurm(odd, env={"ODD": odd}, sbatch=(f"--account={odd}",))
    attempt = store.submit('printf %s "$ODD"')
    assert store.wait_for_end(attempt.folder)["outcome"] == "finished"
    assert attempt.folder.out_log.read_text() == odd
    assert not list(tmp_path.rglob(mark.name))


def test_facts_name_partitions_their_limits_and_what_is_free(slurm: Slurm):
    facts = slurm().backend.facts()
    cluster = facts["slurm"]
    partitions = {each["name"]: each for each in cluster["partitions"]}
    assert cluster["partition"] == "main"
    assert set(partitions) == {"main", "high", "short"}
    assert partitions["short"]["max_time_s"] == 600
    assert [each["cores"] for each in partitions["main"]["machines"]] == [4, 4]
    assert facts["runner"] == {"alive": True, "queued": 0, "running": 0, "slots": 0}
    assert facts["disk"]["free_bytes"] > 0


@pytest.mark.parametrize(
    ("needs", "node", "verdict"),
    [
        (Needs(cores=2, time_s=60), {}, OK),
        (Needs(), {"partition": "nowhere"}, NO),
        (Needs(), {"sbatch": ("--array=1-2",)}, NO),
        (Needs(cores=64), {}, UNKNOWN),  # so it says of drained nodes, too; the facts say no
    ],
)
def test_the_preflight_asks_slurm_itself_and_submits_nothing(
    slurm: Slurm, needs: Needs, node: dict[str, Any], verdict: str
):
    store = slurm(**node)
    record = Experiment(run=Run(argv=("true",)), needs=needs)
    (check,) = check_by_scheduler(store.backend, record)
    assert check.verdict == verdict, check.text
    assert store.bed.states("ddl-preflight") == []
    if needs.cores == 64:
        assert NO in {
            each.verdict for each in check_needs(record, store.node, store.backend.facts())
        }


def test_a_store_without_intent_for_slurm_is_refused(slurm: Slurm):
    store = slurm()
    attempt = store.attempt(store.experiment("true"), hand_over=None)
    with pytest.raises(ValueError, match="without hand_over"):
        store.backend.hand_over(attempt)


def test_a_machine_without_slurm_is_told(slurm: Slurm, monkeypatch: pytest.MonkeyPatch):
    store = slurm()
    attempt = store.attempt(store.experiment("true"))
    lost = replace(attempt, intent={**attempt.intent, "hand_over": {"argv": ["sbatchx"]}})
    with pytest.raises(ValueError, match="no sbatch"):
        store.backend.hand_over(lost)


def _text(path: Path) -> str:
    return path.read_text() if path.exists() else ""


def test_many_names_are_asked_for_at_once(slurm: Slurm):
    store = slurm()
    attempt = store.attempt(store.experiment("true"))
    many = [
        replace(attempt, intent={**attempt.intent, "name": f"ddl-00000000-{n}-a1"})
        for n in range(600)
    ]
    start = time.monotonic()
    assert store.backend.observe(many) == {each.name: [] for each in many}
    assert time.monotonic() - start < 5


def test_what_would_wait_for_ever_is_refused_and_leaves_no_job(slurm: Slurm):
    store = slurm()
    experiment = store.experiment("true", needs=Needs(cores=64))
    quick = Limits(scheduler=Patience(again_s=0.0, over_s=0.0, chain_s=0.0))
    store.sync(limits=quick)
    attempt = Attempt.read(experiment.attempt(1))
    store.wait(lambda: store.seen(attempt)[0].never, "no reason")
    store.sync(limits=quick)
    assert store.state(experiment) == "refused"
    assert "PartitionConfig" in read_json(experiment.attempt(1).status)["why"]
    assert store.seen(attempt)[0].state == ENDED


def test_a_sync_hands_over_once_and_adopts_what_it_finds(slurm: Slurm):
    store = slurm()
    experiment = store.experiment("sleep 1")
    store.sync()
    first = read_json(experiment.attempt(1).submitted)["id"]
    experiment.attempt(1).submitted.unlink()  # as if the manager had died before it could write
    store.sync()
    found = read_json(experiment.attempt(1).submitted)
    assert (found["id"], found["by"]) == (first, "adoption")
    store.wait_for_end(experiment.attempt(1))
    store.sync()
    assert store.state(experiment) == "finished"
    assert len(store.bed.states(read_json(experiment.attempt(1).intent)["name"])) == 1
