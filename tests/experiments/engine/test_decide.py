"""What is due, case by case: the tables of the facts behind docs/decisions/0014."""

from __future__ import annotations

import pytest

from ddl.experiments.backends.backend import Seen
from ddl.experiments.engine.actions import (
    Adopt,
    Cancel,
    Finish,
    HandOver,
    NewAttempt,
    Nothing,
    Remove,
    Stop,
)
from ddl.experiments.engine.decide import decide
from ddl.experiments.engine.seen import NodeSeen
from ddl.experiments.spec.records import Needs
from tests.experiments.engine.views import (
    NODES,
    attempt_view,
    experiment_view,
    name_of,
    store_view,
)

NOW = 1000.0
UP = {name: NodeSeen() for name in NODES.nodes}
LIVE = {"waiting", "running"}


def seen(node: str, *jobs: Seen, attempt: int = 1, gone_for_s: float = 0.0, **facts):
    """Return answers of all nodes, where `node` has these jobs of experiment 1."""
    name = name_of(1, attempt)
    gone = {} if any(job.state in LIVE for job in jobs) else {name: NOW - gone_for_s}
    return {**UP, node: NodeSeen(jobs={name: list(jobs)}, gone_since=gone, facts=facts)}


def down(node: str):
    """Return answers of all nodes but one."""
    return {**UP, node: NodeSeen(reachable=False, error="no route")}


def due(*experiments, seen=UP, now=NOW):
    """Return what is due, without what waits."""
    found = decide(store_view(*experiments), NODES, seen, now)
    return [action for action in found if not isinstance(action, Nothing)]


def kinds(*experiments, seen=UP):
    """Return the kinds of what is due."""
    return [type(action) for action in due(*experiments, seen=seen)]


WAITING = Seen(id="7", state="waiting")
RUNNING = Seen(id="7", state="running")


def ended(reason: str, exit_status: str = "") -> Seen:
    """Return an ended job."""
    return Seen(id="7", state="ended", reason=reason, raw=reason, exit=exit_status)


CLAIM = {"number": 0, "job_id": "7", "started": 10.0}


def test_a_wanted_experiment_gets_its_first_attempt():
    (action,) = due(experiment_view(1))
    assert action == NewAttempt(experiment="001-x1", attempt=1, node="here", reason="first")


def test_what_is_not_wanted_gets_nothing():
    assert due(experiment_view(1, wanted={"want": "nothing"})) == []


def test_a_node_that_does_not_answer_gets_nothing_new():
    found = decide(store_view(experiment_view(1)), NODES, down("here"), NOW)
    assert found == [Nothing(experiment="001-x1", why="here: no route")]


def test_an_unknown_node_is_named_with_the_known_ones():
    (action,) = decide(store_view(experiment_view(1, node="mars")), NODES, UP, NOW)
    assert "no node or group mars" in action.why
    assert "cluster" in action.why


def test_a_higher_priority_goes_first():
    found = due(experiment_view(1), experiment_view(2, priority=5), experiment_view(3))
    assert [action.experiment[:3] for action in found] == ["002", "001", "003"]


def test_the_users_priority_overrides_the_specs():
    found = due(experiment_view(1, priority=5), experiment_view(2, wanted={"priority": 9}))
    assert [action.experiment[:3] for action in found] == ["002", "001"]


def test_a_queue_takes_no_more_than_its_limit():
    several = [experiment_view(number, node="cluster") for number in range(1, 6)]
    assert kinds(*several) == [NewAttempt, NewAttempt]


def test_an_attempt_whose_end_is_not_known_holds_its_place_in_the_queue():
    held = [
        experiment_view(number, [attempt_view(number, 1, "cluster")], node="cluster")
        for number in (2, 3)
    ]
    assert due(experiment_view(1, node="cluster"), *held) == []


def test_a_group_shares_experiments_by_slots():
    several = [experiment_view(number, node="servers") for number in range(1, 7)]
    nodes = [action.node for action in due(*several)]
    assert (nodes.count("here"), nodes.count("server")) == (2, 4)


def test_a_group_passes_over_a_node_that_does_not_answer():
    several = [experiment_view(number, node="servers") for number in range(1, 4)]
    assert {action.node for action in due(*several, seen=down("here"))} == {"server"}


def test_a_group_chooses_a_node_that_meets_the_needs():
    facts = {
        "here": NodeSeen(facts={"gpus": [], "cores": 2}),
        "server": NodeSeen(facts={"gpus": [{}, {}], "cores": 2}),
    }
    (action,) = due(experiment_view(1, node="servers", needs=Needs(gpus=2)), seen={**UP, **facts})
    assert action.node == "server"


@pytest.mark.parametrize(
    ("needs", "told"),
    [
        (Needs(gpus=1), "needs 1 GPUs, has 0"),
        (Needs(cores=8), "needs 8 cores, has 2"),
        (Needs(memory_bytes=10**11), "needs 100.0 GB of memory, has 8.0"),
    ],
)
def test_needs_that_nothing_meets_are_told(needs, told):
    facts = {"gpus": [], "cores": 2, "memory": {"total_bytes": 8e9}}
    answers = {**UP, "here": NodeSeen(facts=facts)}
    (action,) = decide(store_view(experiment_view(1, needs=needs)), NODES, answers, NOW)
    assert told in action.why


def test_a_job_that_is_found_under_its_name_is_adopted():
    one = experiment_view(1, [attempt_view(1, 1, "cluster")])
    assert due(one, seen=seen("cluster", WAITING)) == [
        Adopt(experiment="001-x1", attempt=1, job="7", where="")
    ]


def test_an_adopted_job_needs_nothing():
    one = experiment_view(1, [attempt_view(1, 1, "cluster", submitted={"id": "7"})])
    assert due(one, seen=seen("cluster", RUNNING)) == []


def test_of_two_jobs_the_one_that_has_claimed_stays():
    one = experiment_view(
        1, [attempt_view(1, 1, "cluster", submitted={"id": "6"}, claims=(CLAIM,))]
    )
    two = (Seen(id="6", state="running"), RUNNING)
    assert due(one, seen=seen("cluster", *two)) == [
        Cancel(experiment="001-x1", attempt=1, node="cluster", job="6"),
        Adopt(experiment="001-x1", attempt=1, job="7", where=""),
    ]


def test_of_two_jobs_that_run_and_have_not_claimed_none_is_cancelled():
    one = experiment_view(1, [attempt_view(1, 1, "cluster", submitted={"id": "6"})])
    two = (Seen(id="6", state="running"), RUNNING)
    assert due(one, seen=seen("cluster", *two)) == []


def test_of_two_waiting_jobs_the_second_is_cancelled():
    one = experiment_view(1, [attempt_view(1, 1, "cluster", submitted={"id": "6"})])
    two = (Seen(id="6", state="waiting"), WAITING)
    (action,) = due(one, seen=seen("cluster", *two))
    assert action == Cancel(experiment="001-x1", attempt=1, node="cluster", job="7")


@pytest.mark.parametrize(("gone_for_s", "expected"), [(0, []), (29, []), (31, [HandOver])])
def test_a_job_that_a_scheduler_does_not_have_is_submitted_again_after_30_s(gone_for_s, expected):
    one = experiment_view(1, [attempt_view(1, 1, "cluster")])
    assert kinds(one, seen=seen("cluster", gone_for_s=gone_for_s)) == expected


def test_a_node_with_a_queue_of_ours_is_told_again_at_once():
    one = experiment_view(1, [attempt_view(1, 1, "server")])
    assert due(one, seen=seen("server")) == [
        HandOver(experiment="001-x1", attempt=1, node="server")
    ]


@pytest.mark.parametrize("node", list(NODES.nodes))
@pytest.mark.parametrize("want", ["run", "stop", "pause", "remove"])
@pytest.mark.parametrize("parts", [{}, {"submitted": {"id": "7"}}, {"claims": (CLAIM,)}])
def test_nothing_is_done_to_an_attempt_whose_node_does_not_answer(node, want, parts):
    one = experiment_view(1, [attempt_view(1, 1, node, **parts)], {"want": want}, node=node)
    assert due(one, seen=down(node)) == []


def test_an_attempt_that_appeared_while_nodes_were_asked_is_left_alone():
    one = experiment_view(1, [attempt_view(1, 1, "here"), attempt_view(1, 2, "here")])
    assert due(one, seen=seen("here", RUNNING)) == [
        Adopt(experiment="001-x1", attempt=1, job="7", where="")
    ]


@pytest.mark.parametrize("node", ["here", "cluster"])
@pytest.mark.parametrize(
    ("status", "reason"),
    [
        ({"outcome": "continue", "cause": "time limit", "progressed": True}, "time limit"),
        ({"outcome": "continue", "cause": "preempted", "progressed": True}, "preempted"),
        ({"outcome": "crashed", "progressed": True}, "crash"),
    ],
)
def test_an_attempt_that_is_to_go_on_gets_a_successor(status, reason, node):
    one = experiment_view(1, [attempt_view(1, 1, node, status=status)], retries=1, node=node)
    (action,) = due(one, seen=seen(node))
    assert action == NewAttempt(experiment="001-x1", attempt=2, node=node, reason=reason)


@pytest.mark.parametrize(
    "outcome", ["finished", "diverged", "refused", "out of memory", "stopped", "paused", "crashed"]
)
def test_an_end_is_an_end(outcome):
    one = experiment_view(1, [attempt_view(1, 1, status={"outcome": outcome})])
    assert due(one, seen=seen("here")) == []


def test_three_attempts_without_progress_are_the_last():
    status = {"outcome": "continue", "progressed": False}
    several = [attempt_view(1, number, status=status) for number in (1, 2, 3)]
    assert due(experiment_view(1, several), seen=seen("here", attempt=3)) == []
    assert kinds(experiment_view(1, several[:2]), seen=seen("here", attempt=2)) == [NewAttempt]


def test_a_job_that_never_starts_is_not_submitted_for_ever():
    never = attempt_view(1, 1, status={"outcome": "never started"})
    assert due(experiment_view(1, [never]), seen=seen("here")) == []
    assert kinds(experiment_view(1, [never], retries=1), seen=seen("here")) == [NewAttempt]


@pytest.mark.parametrize(
    ("chain", "facts", "gone_for_s", "expected"),
    [
        ("runner", {"runner": {"alive": True}}, 1, []),
        ("runner", {"runner": {"alive": False}}, 1, [NewAttempt]),
        ("runner", {"runner": {"alive": True}}, 11, [NewAttempt]),
        ("runner", {}, 1, [NewAttempt]),
        ("agent", {}, 1, []),
        ("agent", {}, 11, [NewAttempt]),
        ("manager", {}, 1, [NewAttempt]),
    ],
)
def test_the_one_beside_the_job_makes_the_next_attempt_if_it_can(
    chain, facts, gone_for_s, expected
):
    last = attempt_view(1, 1, status={"outcome": "continue", "progressed": True}, chain=chain)
    answer = seen("here", gone_for_s=gone_for_s, **facts)
    assert kinds(experiment_view(1, [last]), seen=answer) == expected


@pytest.mark.parametrize(
    ("reason", "exit_status", "outcome", "cause"),
    [
        ("TIMEOUT", "0:0", "continue", "time limit"),
        ("PREEMPTED", "", "continue", "preempted"),
        ("OUT_OF_MEMORY", "0:9", "out of memory", ""),
        ("FAILED", "1:0", "crashed", ""),
        ("FAILED", "4:0", "diverged", ""),
        ("CANCELLED", "", "stopped", ""),
    ],
)
def test_the_schedulers_word_tells_how_a_job_ended(reason, exit_status, outcome, cause):
    one = experiment_view(1, [attempt_view(1, 1, "cluster", claims=(CLAIM,))])
    (action,) = due(one, seen=seen("cluster", ended(reason, exit_status), gone_for_s=100))
    assert (action.outcome, action.cause) == (outcome, cause)


def test_a_double_that_ended_well_says_nothing_about_the_one_that_claimed():
    lost = attempt_view(1, 1, "cluster", submitted={"id": "7"}, claims=(CLAIM,))
    double = Seen(id="8", state="ended", reason="COMPLETED", exit="0:0")
    for jobs in ([ended("NODE_FAIL"), double], [double]):
        (action,) = due(experiment_view(1, [lost]), seen=seen("cluster", *jobs, gone_for_s=100))
        assert (type(action), action.reason) == (NewAttempt, "node lost")


def test_a_job_that_has_just_ended_is_left_to_its_agent():
    one = experiment_view(1, [attempt_view(1, 1, "cluster", claims=(CLAIM,))])
    assert due(one, seen=seen("cluster", ended("FAILED", "1:0"), gone_for_s=10)) == []


@pytest.mark.parametrize("reason", ["NODE_FAIL", "BOOT_FAIL"])
def test_a_lost_machine_gets_a_successor_and_no_status(reason):
    one = experiment_view(1, [attempt_view(1, 1, "cluster", claims=(CLAIM,))])
    (action,) = due(one, seen=seen("cluster", ended(reason), gone_for_s=100))
    assert action == NewAttempt(experiment="001-x1", attempt=2, node="cluster", reason="node lost")


def test_a_claimed_job_that_a_scheduler_forgot_may_still_live():
    one = experiment_view(1, [attempt_view(1, 1, "cluster", claims=(CLAIM,))])
    (action,) = due(one, seen=seen("cluster", gone_for_s=100))
    assert (type(action), action.reason) == (NewAttempt, "node lost")


def test_a_process_that_is_gone_is_left_to_the_runner_of_its_machine():
    one = experiment_view(1, [attempt_view(1, 1, "server", claims=(CLAIM,))])
    assert due(one, seen=seen("server", ended("process gone"))) == [
        HandOver(experiment="001-x1", attempt=1, node="server")
    ]


@pytest.mark.parametrize(
    ("want", "how"), [("stop", "stop"), ("pause", "pause"), ("remove", "kill")]
)
@pytest.mark.parametrize("job", [WAITING, RUNNING])
def test_a_live_attempt_that_is_not_wanted_is_asked_to_end(want, how, job):
    one = experiment_view(
        1, [attempt_view(1, 1, submitted={"id": "7"})], {"want": want, "by": "ada"}
    )
    (action,) = due(one, seen=seen("here", job))
    assert (type(action), action.how, action.by) == (Stop, how, "ada")


def test_an_attempt_is_not_asked_twice_within_30_s():
    asked = attempt_view(1, 1, submitted={"id": "7"}, stop={"how": "stop", "time": NOW - 5})
    assert due(experiment_view(1, [asked], {"want": "stop"}), seen=seen("here", RUNNING)) == []
    long_ago = attempt_view(1, 1, submitted={"id": "7"}, stop={"how": "stop", "time": NOW - 50})
    assert kinds(experiment_view(1, [long_ago], {"want": "stop"}), seen=seen("here", RUNNING)) == [
        Stop
    ]


def test_remove_kills_what_was_asked_to_stop():
    asked = attempt_view(1, 1, submitted={"id": "7"}, stop={"how": "stop", "time": NOW - 5})
    (action,) = due(experiment_view(1, [asked], {"want": "remove"}), seen=seen("here", RUNNING))
    assert action.how == "kill"


@pytest.mark.parametrize("want", ["stop", "pause", "remove"])
def test_an_attempt_that_may_be_on_its_way_is_fenced_off(want):
    one = experiment_view(1, [attempt_view(1, 1, "cluster")], {"want": want})
    assert kinds(one, seen=seen("cluster", gone_for_s=1)) == [Stop]


def test_remove_takes_away_what_has_ended():
    one = experiment_view(
        1, [attempt_view(1, 1, status={"outcome": "finished"})], {"want": "remove"}
    )
    assert due(one) == [Remove(experiment="001-x1")]


def test_resume_waits_for_the_end_of_what_was_stopped():
    asked = attempt_view(1, 1, submitted={"id": "7"}, stop={"how": "stop", "time": NOW - 5})
    one = experiment_view(1, [asked], {"first_attempt": 2})
    assert due(one, seen=seen("here", RUNNING)) == []


@pytest.mark.parametrize(("tries", "reason"), [(0, "resume"), (1, "retry")])
def test_a_new_try_is_a_new_attempt(tries, reason):
    over = attempt_view(1, 1, status={"outcome": "stopped"})
    one = experiment_view(1, [over], {"first_attempt": 2, "tries": tries})
    (action,) = due(one, seen=seen("here"))
    assert (action.attempt, action.reason) == (2, reason)


def test_an_attempt_folder_without_an_intent_is_used():
    empty = attempt_view(1, 1, name="")
    (action,) = due(experiment_view(1, [empty]))
    assert action.attempt == 1


def test_a_lost_attempt_is_closed_once_its_successor_has_begun_its_command():
    lost = attempt_view(1, 1, "cluster", submitted={"id": "7"}, claims=(CLAIM,))
    names = {name_of(1, 1): [ended("NODE_FAIL")], name_of(1, 2): [Seen(id="8", state="running")]}
    answer = {**UP, "cluster": NodeSeen(jobs=names, gone_since={name_of(1, 1): 10.0})}
    for more, expected in (({}, []), ({"command": {"pid": 1}}, [Finish])):
        claim = {**CLAIM, "job_id": "8", **more}
        second = attempt_view(1, 2, "cluster", submitted={"id": "8"}, claims=(claim,))
        assert kinds(experiment_view(1, [lost, second]), seen=answer) == expected


def test_a_successor_made_by_the_agent_does_not_stop_the_papers_of_the_first():
    first = attempt_view(1, 1, "cluster", submitted={"id": "7"}, claims=(CLAIM,))
    second = attempt_view(1, 2, "cluster", submitted={"id": "8"})
    names = {name_of(1, 1): [ended("TIMEOUT")], name_of(1, 2): [Seen(id="8", state="waiting")]}
    answer = {**UP, "cluster": NodeSeen(jobs=names, gone_since={name_of(1, 1): 10.0})}
    (action,) = due(experiment_view(1, [first, second]), seen=answer)
    assert (type(action), action.attempt, action.outcome) == (Finish, 1, "continue")
