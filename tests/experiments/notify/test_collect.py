"""Which events exist: an agent's and a state's are the same one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ddl.experiments.notify.collect import collect
from ddl.experiments.notify.digest import decide, digest_of
from ddl.experiments.notify.events import Event, read_event_lines
from tests.experiments.notify.stores import SINCE, made_experiment, made_view


def event(kind: str, attempt: int = 1, **more: Any) -> dict[str, Any]:
    return {"id": f"1f2e3d4c/001/a{attempt}/{kind}", "kind": kind, "time": SINCE - 5, **more}


def ids(view: Any) -> list[str]:
    return [found.id for found in collect(view)]


def test_an_end_that_the_agent_told_is_the_states_end(store: Path) -> None:
    run = made_experiment(store, events=[event("failed", details={"returncode": 1})])
    (found,) = collect(made_view(store, run))
    assert found.id == "1f2e3d4c/001/a1/failed"
    assert found.time == SINCE - 5
    assert found.details["returncode"] == 1


def test_a_crash_that_is_tried_again_is_no_event(store: Path) -> None:
    run = made_experiment(store, state="running", events=[event("failed")], attempts=2)
    assert ids(made_view(store, run)) == []


def test_a_retry_that_fails_again_is_another_event(store: Path) -> None:
    run = made_experiment(store, events=[event("failed")], attempts=2)
    assert ids(made_view(store, run)) == ["1f2e3d4c/001/a2/failed"]


def test_a_refusal_without_an_attempt_has_an_id(store: Path) -> None:
    run = made_experiment(store, state="refused", attempts=0)
    assert ids(made_view(store, run)) == ["1f2e3d4c/001/a0/refused"]


@pytest.mark.parametrize("state", ["planned", "queued", "waiting", "paused", "requeued", "unknown"])
def test_a_state_that_is_no_end_is_no_event(store: Path, state: str) -> None:
    assert ids(made_view(store, made_experiment(store, state=state))) == []


def test_torn_and_strange_lines_are_passed_over() -> None:
    good = '{"id": "a", "kind": "rule", "time": 1}'
    strange = ["", "{", "[]", "3", "null", '{"id": "a"}', '{"id": "a", "kind": "x", "time": 1}']
    strange += ['{"id": "a", "kind": "rule", "time": "late"}', "[" * 100_000, good[:20]]
    assert [found.id for found in read_event_lines("\n".join([*strange, good]), "e")] == ["a"]


@given(
    waiting=st.integers(1, 300),
    sent=st.lists(
        st.tuples(st.floats(0, 7200), st.sampled_from(["failed", "digest"])), max_size=30
    ),
    limit=st.integers(1, 20),
)
def test_no_period_has_more_single_mails_than_the_limit(
    waiting: int, sent: list[tuple[float, str]], limit: int
) -> None:
    what = decide(waiting, sent, limit, 3600, 7200)
    recent = [kind for time, kind in sent if time > 3600]
    if what.single:
        assert "digest" not in recent
        assert len(recent) + waiting <= limit
    elif what.wait_until:
        assert "digest" in recent
        assert 7200 < what.wait_until <= 7200 + 3600


def test_the_same_events_in_another_order_are_the_same_digest() -> None:
    events = [Event(id=str(number), kind="failed", time=1.0) for number in range(30)]
    assert digest_of(events, "s", 1).id == digest_of(events[::-1], "s", 2).id
    assert digest_of(events, "s", 1).id != digest_of(events[1:], "s", 1).id
