"""The state of an experiment for everything that its files and `sync` can say, as a table."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from ddl.experiments.agent.layout import AttemptFolder
from ddl.experiments.states import STATES
from ddl.experiments.store.attempts import AttemptView
from ddl.experiments.store.state import state_of

NOW = 1_000_000.0
STORE = Path("/store")
RECORD = SimpleNamespace(retries=1, added=NOW - 9000)
RUN = {"want": "run", "since": NOW - 5000, "by": "ada"}


def attempt(number: int = 1, phase: str = "running", **changes) -> AttemptView:
    """Return an attempt in a phase: submitting, waiting, running, or with an outcome."""
    name = f"ddl-01234567-001-a{number}"
    intent = {"name": name, "node": "gpu1", "created": NOW - 1000, "reason": "first"}
    values = {"intent": {**intent, "root": str(STORE), **changes.pop("intent", {})}}
    if phase != "submitting":
        values |= {"submitted": {"id": "7", "time": NOW - 990}, "is_submitted": True}
    if phase not in ("submitting", "waiting"):
        beat_age_s = changes.pop("beat_age_s", 5)
        values["claims"] = ({"number": 0, "started": NOW - max(900, beat_age_s or 0)},)
        values["heartbeat"] = {} if beat_age_s is None else {"count": 9, "time": NOW - beat_age_s}
    if phase not in ("submitting", "waiting", "running"):
        known = {"outcome": phase, "ended": NOW - 10, "progressed": True, "returncode": 1}
        values["status"] = {"attempt": number, **known, **changes.pop("status", {})}
    folder = AttemptFolder(STORE / "001-x/attempts" / str(number))
    return AttemptView(folder=folder, number=number, **{**values, **changes})


def seen(job: str | None = None, *, reachable: bool = True, reason: str = "", age_s: float = 20):
    """Return what sync saw of gpu1: a job of attempt 1 in this state."""
    jobs = {} if job is None else {"ddl-01234567-001-a1": [{"state": job, "reason": reason}]}
    gone = None if reachable else NOW - 300
    known = {"time": NOW - age_s, "reachable": reachable, "since_unreachable": gone}
    return {"gpu1": {**known, "error": None if reachable else "timed out", "jobs": jobs}}


def slow(seconds: float):
    """Return what sync saw of a node whose clock is slow."""
    return {"gpu1": {**seen("running")["gpu1"], "facts": {"time": NOW - 20 - seconds}}}


STOP = {"how": "stop", "by": "rule hopeless", "why": "val_dice < 0.6", "time": NOW - 20}
CRASH = {"status": {"why": "ended with status 1"}}
IDLE = {"status": {"progressed": False}}

TABLE = {
    "nothing wanted": ("planned", "", {}, [], {}),
    "wanted": ("queued", "run wanted by ada", RUN, [], {}),
    "paused before it began": ("paused", "pause wanted", {"want": "pause", "by": "ada"}, [], {}),
    "stopped before it began": ("stopped", "", {"want": "stop"}, [], {}),
    "removed before it began": ("stopped", "", {"want": "remove"}, [], {}),
    "an intent only": ("submitting", "", RUN, [attempt(1, "submitting")], {}),
    "an intent of which sync found the job": (
        "waiting",
        "Priority",
        RUN,
        [attempt(1, "submitting")],
        seen("waiting", reason="Priority"),
    ),
    "an intent on a node that does not answer": (
        "unknown",
        "gpu1 does not answer (timed out); was submitting",
        RUN,
        [attempt(1, "submitting")],
        seen(reachable=False),
    ),
    "an intent of which the node cannot tell": (
        "unknown",
        "gpu1 cannot tell; was submitting",
        RUN,
        [attempt(1, "submitting")],
        seen("unknown"),
    ),
    "handed over": ("waiting", "", RUN, [attempt(1, "waiting")], {}),
    "handed over, Slurm's reason": (
        "waiting",
        "Resources",
        RUN,
        [attempt(1, "waiting")],
        seen("waiting", reason="Resources"),
    ),
    "Slurm says none": (
        "waiting",
        "",
        RUN,
        [attempt(1, "waiting")],
        seen("waiting", reason="None"),
    ),
    "a job that runs, and no claim seen yet": (
        "running",
        "",
        RUN,
        [attempt(1, "waiting")],
        seen("running"),
    ),
    "waiting, and the node is away": (
        "unknown",
        "was waiting",
        RUN,
        [attempt(1, "waiting")],
        seen("waiting", reachable=False),
    ),
    "claimed": ("running", "", RUN, [attempt()], seen("running")),
    "claimed, no sync yet": ("running", "", RUN, [attempt()], {}),
    "claimed, its job is gone": (
        "running",
        "its job has ended; sync looks after it",
        RUN,
        [attempt()],
        seen("ended"),
    ),
    "running, the front end is away, but its heartbeat is seen": (
        "running",
        "",
        RUN,
        [attempt()],
        seen(reachable=False),
    ),
    "running, and the node is away": (
        "unknown",
        "gpu1 does not answer (timed out); was running",
        RUN,
        [attempt(beat_age_s=400)],
        seen(reachable=False),
    ),
    "silent": (
        "unknown",
        "no sign of life for 0:03:20; was running",
        RUN,
        [attempt(beat_age_s=200)],
        {},
    ),
    "a copy that is as old as the last sync": (
        "running",
        "",
        RUN,
        [attempt(beat_age_s=3605, intent={"root": "/far/store"})],
        seen("running", age_s=3600),
    ),
    "a copy that was silent at the last sync": (
        "unknown",
        "no sign of life",
        RUN,
        [attempt(beat_age_s=3800, intent={"root": "/far/store"})],
        seen("running", age_s=3600),
    ),
    "the node's clock is two minutes slow": (
        "running",
        "",
        RUN,
        [attempt(beat_age_s=125)],
        slow(120),
    ),
    "the node's clock is two minutes fast, and it is silent": (
        "unknown",
        "no sign of life for 0:02:05",
        RUN,
        [attempt(beat_age_s=5)],
        slow(-120),
    ),
    "a script that reports by itself": ("running", "", {}, [attempt(beat_age_s=None)], {}),
    "waits, and no slot is free": (
        "waiting",
        "2 of 2 slots of gpu1 are taken",
        RUN,
        [attempt(1, "waiting")],
        {"gpu1": {**seen("waiting")["gpu1"], "facts": {"runner": {"running": 2, "slots": 2}}}},
    ),
    "waits for a moment, and a slot is free": (
        "waiting",
        "",
        RUN,
        [attempt(1, "waiting")],
        {"gpu1": {**seen("waiting")["gpu1"], "facts": {"runner": {"running": 1, "slots": 2}}}},
    ),
    "asked to stop by the user": (
        "stopping",
        "stop by ada",
        {**RUN, "want": "stop"},
        [attempt()],
        {},
    ),
    "asked to pause": ("stopping", "pause by ada", {**RUN, "want": "pause"}, [attempt()], {}),
    "asked to be removed": ("stopping", "remove", {"want": "remove"}, [attempt()], {}),
    "asked to stop by a rule": (
        "stopping",
        "stop by rule hopeless: val_dice < 0.6",
        RUN,
        [attempt(stop=STOP)],
        {},
    ),
    "asked to stop while it waits": (
        "stopping",
        "",
        {**RUN, "want": "stop"},
        [attempt(1, "waiting")],
        {},
    ),
    "asked to stop, and the node is away": (
        "unknown",
        "was stopping",
        {**RUN, "want": "stop"},
        [attempt(beat_age_s=400)],
        seen(reachable=False),
    ),
    "finished": ("finished", "", RUN, [attempt(1, "finished")], {}),
    "finished just before it was stopped": (
        "finished",
        "",
        {**RUN, "want": "stop"},
        [attempt(1, "finished")],
        {},
    ),
    "finished while its node is away": (
        "finished",
        "",
        RUN,
        [attempt(1, "finished")],
        seen(reachable=False),
    ),
    "diverged": ("diverged", "", RUN, [attempt(1, "diverged")], {}),
    "refused": ("refused", "", RUN, [attempt(1, "refused")], {}),
    "out of memory": ("failed", "out of memory", RUN, [attempt(1, "out of memory")], {}),
    "stopped by a rule": (
        "stopped",
        "by rule hopeless",
        RUN,
        [attempt(1, "stopped", status={"by": "rule hopeless"})],
        {},
    ),
    "stopped by the user": ("stopped", "", {**RUN, "want": "stop"}, [attempt(1, "stopped")], {}),
    "paused": ("paused", "", {**RUN, "want": "pause"}, [attempt(1, "paused")], {}),
    "paused by a rule": ("paused", "", RUN, [attempt(1, "paused")], {}),
    "pause came at the time limit": (
        "paused",
        "",
        {**RUN, "want": "pause"},
        [attempt(1, "continue")],
        {},
    ),
    "stop came at the time limit": (
        "stopped",
        "",
        {**RUN, "want": "stop"},
        [attempt(1, "continue")],
        {},
    ),
    "paused, then stopped": ("stopped", "", {**RUN, "want": "stop"}, [attempt(1, "paused")], {}),
    "crashed, and tried again": ("requeued", "", RUN, [attempt(1, "crashed", **CRASH)], {}),
    "crashed too often": (
        "failed",
        "ended with status 1",
        RUN,
        [attempt(1, "crashed", **CRASH), attempt(2, "crashed", **CRASH)],
        {},
    ),
    "crashed, then stopped by the user": (
        "stopped",
        "",
        {**RUN, "want": "stop"},
        [attempt(1, "crashed", **CRASH)],
        {},
    ),
    "it never started, and no retry is left": (
        "lost",
        "never started",
        RUN,
        [attempt(n, "never started") for n in (1, 2)],
        {},
    ),
    "the last try after a crash runs": (
        "running",
        "",
        RUN,
        [attempt(1, "crashed"), attempt(2, intent={"reason": "crash"})],
        {},
    ),
    "nobody saw its end, and no retry is left": (
        "lost",
        "the node forgot it",
        RUN,
        [
            attempt(1, "crashed"),
            attempt(
                2,
                "crashed",
                status={"returncode": None, "by": "manager", "why": "the node forgot it"},
            ),
        ],
        {},
    ),
    "time limit": ("requeued", "", RUN, [attempt(1, "continue")], {}),
    "time limit, the next one waits": (
        "requeued",
        "after time limit",
        RUN,
        [attempt(1, "continue"), attempt(2, "waiting", intent={"reason": "time limit"})],
        {},
    ),
    "the successor waits beside the one that runs": (
        "running",
        "",
        RUN,
        [attempt(1), attempt(2, "waiting", intent={"reason": "time limit"})],
        {},
    ),
    "a node was lost, and the next one waits": (
        "requeued",
        "after node lost",
        RUN,
        [attempt(1, beat_age_s=400), attempt(2, "waiting", intent={"reason": "node lost"})],
        {},
    ),
    "two of three attempts without progress": (
        "requeued",
        "",
        RUN,
        [attempt(n, "continue", **IDLE) for n in (1, 2)],
        {},
    ),
    "three attempts without progress": (
        "failed",
        "no progress",
        RUN,
        [attempt(n, "continue", **IDLE) for n in (1, 2, 3)],
        {},
    ),
    "progress in between": (
        "requeued",
        "",
        RUN,
        [
            attempt(1, "continue", **IDLE),
            attempt(2, "continue"),
            *(attempt(n, "continue", **IDLE) for n in (3, 4)),
        ],
        {},
    ),
    "a superseded one ends after its successor": (
        "finished",
        "",
        RUN,
        [attempt(1, "superseded"), attempt(2, "finished")],
        {},
    ),
    "retried": ("queued", "", {**RUN, "first_attempt": 2}, [attempt(1, "crashed")], {}),
    "retried, and waiting": (
        "waiting",
        "",
        {**RUN, "first_attempt": 2},
        [attempt(1, "crashed"), attempt(2, "waiting", intent={"reason": "retry"})],
        {},
    ),
    "an older crash does not count after a retry": (
        "requeued",
        "",
        {**RUN, "first_attempt": 3},
        [*(attempt(n, "crashed") for n in (1, 2)), attempt(3, "crashed")],
        {},
    ),
    "resumed after a pause": (
        "queued",
        "",
        {**RUN, "first_attempt": 2},
        [attempt(1, "paused")],
        {},
    ),
    "by hand, running": ("running", "", {}, [attempt()], {}),
    "by hand, finished": ("finished", "", {}, [attempt(1, "finished")], {}),
    "by hand, failed": ("failed", "", {}, [attempt(n, "crashed", **CRASH) for n in (1, 2)], {}),
    "by hand, cut short": ("stopped", "", {}, [attempt(1, "continue")], {}),
    "an outcome of a newer version": ("requeued", "", RUN, [attempt(1, "teleported")], {}),
}


@pytest.mark.parametrize("case", TABLE)
def test_the_state_follows_from_the_files(case):
    state, why, wanted, attempts, nodes = TABLE[case]
    found, reason, since = state_of(RECORD, wanted, attempts, nodes, NOW)
    assert (found, why in reason) == (state, True), reason
    assert 0 < since <= NOW
    assert "\n" not in reason


def test_the_table_has_every_state():
    assert {row[0] for row in TABLE.values()} == set(STATES)


SINCE = {
    "nothing wanted": NOW - 9000,
    "wanted": NOW - 5000,
    "an intent only": NOW - 1000,
    "handed over": NOW - 990,
    "claimed": NOW - 900,
    "finished": NOW - 10,
    "running, and the node is away": NOW - 300,
    "silent": NOW - 200,
    "retried": NOW - 5000,
}


@pytest.mark.parametrize("case", SINCE)
def test_the_time_of_the_state_is_that_of_what_made_it(case):
    _, _, wanted, attempts, nodes = TABLE[case]
    assert state_of(RECORD, wanted, attempts, nodes, NOW)[2] == SINCE[case]


STRANGE = [
    {"time": "x", "reachable": "no", "jobs": [1]},
    {"jobs": {"ddl-01234567-001-a1": {"state": 1}}},
    {"jobs": {"ddl-01234567-001-a1": [None, 3, {"state": ["x"]}]}},
    {"jobs": {"ddl-01234567-001-a1": [{"reason": 5}]}, "since_unreachable": []},
]


@pytest.mark.parametrize("node", STRANGE)
def test_strange_contents_of_seen_files_do_not_matter(node):
    assert state_of(RECORD, RUN, [attempt()], {"gpu1": node}, NOW)[0] in STATES


@pytest.mark.parametrize(
    "wanted", [{"want": 5}, {"want": "fly"}, {"since": "x"}, {"first_attempt": "b"}]
)
def test_strange_wishes_are_nothing(wanted):
    assert state_of(RECORD, wanted, [], {}, NOW)[0] == "planned"
