"""The server's promises: each lease once, whole snapshots, bounded ages, whatever workers do."""

from __future__ import annotations

import queue
import threading
from typing import Any

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from ddl.asynchronous.ages import AgeRules
from ddl.asynchronous.epoch_leases import Lease
from ddl.asynchronous.server_state import Push, ServerState, Snapshot
from ddl.data.order import Position, SampleOrder

ONE = Push([np.ones(1)])


class Counter:
    """Weights that add what is pushed."""

    def __init__(self, size: int = 1) -> None:
        self.values = np.zeros(size)
        self.steps: list[int] = []

    def apply(self, push: Push, weight: float, step: int) -> None:
        assert push.gradients[0] is not None
        self.values += push.gradients[0]
        self.steps.append(step)

    def read(self) -> list[np.ndarray]:
        return [self.values.copy()]


def server(count: int, workers: int, **rules: Any) -> tuple[Counter, ServerState]:
    """Return a server whose epoch has `count` leases of one sample."""
    order = SampleOrder("global", count, 1, workers, 0)
    counter = Counter()
    return counter, ServerState(counter, order, AgeRules(workers, **rules), timeout_s=60)


def test_8_threads_push_1000_times_each() -> None:
    counter, state = server(8000, 8)
    state.open_epoch(0)
    requests: queue.Queue[tuple[str, tuple[Lease, Snapshot] | None, queue.Queue[Any]]]
    requests = queue.Queue()

    def work(name: str) -> None:
        replies: queue.Queue[Any] = queue.Queue()
        done: tuple[Lease, Snapshot] | None = None
        while True:
            requests.put((name, done, replies))
            done = replies.get()
            if done is None:
                return

    threads = [threading.Thread(target=work, args=(f"w{n}",)) for n in range(8)]
    for thread in threads:
        thread.start()
    left, waiting, pushed = 8, [], 0
    while left:
        name, done, replies = requests.get(timeout=30)
        if done is not None:
            lease, snapshot = done
            pushed += state.push(name, lease.number, snapshot.version, ONE, 0.0).state == "applied"
        waiting.append((name, replies))
        for name, replies in [*waiting]:
            lease = state.next(name, 0.0)
            if lease is None and not state.book.is_complete:
                continue
            waiting.remove((name, replies))
            left -= lease is None
            replies.put(None if lease is None else (lease, state.read()))
    for thread in threads:
        thread.join()
    assert (counter.values[0], pushed, state.version) == (8000, 8000, 8000)


def test_the_schedule_follows_the_leases_that_are_applied() -> None:
    counter, state = server(8, 4)
    state.open_epoch(0)
    while (lease := state.next("a", 0.0)) is not None:
        state.push("a", lease.number, state.version, ONE, 0.0)
    assert counter.steps == [0, 0, 0, 0, 1, 1, 1, 1]
    assert state.position == Position(1)


def test_a_worker_stopped_for_90_s_changes_nothing() -> None:
    counter, state = server(4, 2)
    state.open_epoch(0)
    lease, snapshot = state.next("stopped", 0.0), state.read()
    assert lease is not None
    again = state.next("other", 61.0)
    assert again is not None
    assert again.number == lease.number
    late = state.push("stopped", lease.number, snapshot.version, ONE, 90.0)
    assert (late.state, counter.values[0], state.version) == ("expired", 0, 0)
    assert state.push("other", again.number, 0, ONE, 91.0).state == "applied"
    assert state.push("stopped", lease.number, 0, ONE, 92.0).state == "known"
    assert counter.values[0] == 1


def test_a_push_that_was_executed_although_its_call_failed_is_known() -> None:
    counter, state = server(4, 2)
    state.open_epoch(0)
    lease = state.next("a", 0.0)
    assert lease is not None
    answers = [state.push("a", lease.number, 0, ONE, 0.0).state for _ in range(2)]
    assert (answers, counter.values[0]) == (["applied", "known"], 1)


def test_a_gradient_that_is_too_old_goes_back() -> None:
    counter, state = server(9, 2, max_staleness=1)
    state.open_epoch(0)
    slow = state.next("slow", 0.0)
    for _ in range(2):
        fast = state.next("fast", 0.0)
        assert fast is not None
        assert slow is not None
        state.push("fast", fast.number, state.version, ONE, 0.0)
    assert state.push("slow", slow.number, 0, ONE, 0.0).state == "too old"
    assert (counter.values[0], state.book.counts.dropped) == (2, 1)
    assert state.next("fast", 0.0).number == slow.number  # type: ignore[union-attr]


def test_max_staleness_0_takes_one_gradient_at_a_time() -> None:
    _, state = server(4, 2, max_staleness=0)
    state.open_epoch(0)
    assert state.next("a", 0.0) is not None
    assert state.next("b", 0.0) is None


@pytest.mark.parametrize(
    "push", [Push([np.ones(1)], loss=float("nan")), Push([np.array([np.inf])])]
)
def test_what_is_not_finite_is_not_applied(push: Push) -> None:
    counter, state = server(4, 2)
    state.open_epoch(0)
    lease = state.next("a", 0.0)
    assert lease is not None
    assert state.push("a", lease.number, 0, push, 0.0).state == "not finite"
    assert (counter.values[0], state.not_finite) == (0, lease)
    assert state.next("b", 0.0) is None


def test_a_version_of_the_future_is_refused() -> None:
    _, state = server(4, 2)
    state.open_epoch(0)
    state.next("a", 0.0)
    with pytest.raises(ValueError, match="a gradient of version 1 from a"):
        state.push("a", 0, 1, ONE, 0.0)


def test_a_snapshot_is_whole_and_stays_as_it_is() -> None:
    _, state = server(4, 2)
    state.open_epoch(0)
    before = state.read()
    assert state.read() is before  # copied once a version
    lease = state.next("a", 0.0)
    assert lease is not None
    state.push("a", lease.number, 0, ONE, 0.0)
    assert (before.arrays[0][0], state.read().arrays[0][0]) == (0, 1)
    with pytest.raises(ValueError, match="read-only"):
        before.arrays[0][0] = 7


def test_an_epochs_results_have_ages_and_what_was_given_again() -> None:
    _, state = server(4, 2)
    state.open_epoch(0)
    leases = [state.next(name, 0.0) for name in "ab"]
    for lease, name in zip(leases, "ab", strict=True):
        assert lease is not None
        state.push(name, lease.number, 0, ONE, 0.0)
    state.next("c", 0.0)
    state.gone("c")
    assert state.epoch_results() == {
        "staleness_mean": 0.5, "staleness_max": 1.0, "dropped": 0.0, "expired": 0.0, "lost": 1.0,
    }  # fmt: skip


class Training(RuleBasedStateMachine):
    """Workers join, compute, push, stall, push late or twice, and die, in any order."""

    @initialize(
        count=st.integers(1, 12), workers=st.integers(1, 4),
        bound=st.one_of(st.none(), st.integers(0, 3)), batch=st.integers(1, 3),
    )  # fmt: skip
    def begin(self, count: int, workers: int, bound: int | None, batch: int) -> None:
        self.order = SampleOrder("global", max(count, workers), batch, workers, 0)
        self.rules = AgeRules(workers, bound)
        self.counter = Counter(self.order.count)
        self.state = ServerState(self.counter, self.order, self.rules, timeout_s=10)
        self.now, self.epoch, self.names = 0.0, 0, 0
        self.work: dict[str, tuple[Lease, int] | None] = {}
        self.state.open_epoch(0)

    def pushed(self, lease: Lease) -> Push:
        gradient = np.zeros(self.order.count)
        gradient[lease.indices] = 1
        return Push([gradient])

    @rule()
    def join(self) -> None:
        self.names += 1
        self.work[f"w{self.names}"] = None

    @precondition(lambda self: self.work)
    @rule(data=st.data())
    def take(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(sorted(self.work)))
        if self.work[name] is None and (lease := self.state.next(name, self.now)) is not None:
            self.work[name] = lease, self.state.version

    @precondition(lambda self: any(self.work.values()))
    @rule(data=st.data(), twice=st.booleans())
    def push(self, data: st.DataObject, twice: bool) -> None:
        name = data.draw(st.sampled_from(sorted(n for n, w in self.work.items() if w)))
        assert self.work[name] is not None
        lease, version = self.work[name]
        age = self.state.version - version
        answer = self.state.push(name, lease.number, version, self.pushed(lease), self.now)
        assert answer.state != "applied" or age <= self.rules.bound
        if twice:
            again = self.state.push(name, lease.number, version, self.pushed(lease), self.now)
            assert again.state in ("known", "expired")
        self.work[name] = None

    @precondition(lambda self: self.work)
    @rule(data=st.data())
    def die(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(sorted(self.work)))
        del self.work[name]
        self.state.gone(name)

    @rule(seconds=st.floats(0, 25))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @precondition(lambda self: hasattr(self, "state") and self.state.book.is_complete)
    @rule()
    def next_epoch(self) -> None:
        self.epoch += 1
        self.state.open_epoch(self.epoch)

    @invariant()
    def each_lease_is_applied_at_most_once(self) -> None:
        if not hasattr(self, "state"):
            return
        done = self.counter.values
        assert set(done) <= {self.epoch, self.epoch + 1}
        if self.state.book.is_complete:
            assert set(done) == {self.epoch + 1}
        open_leases = self.state.book.open_leases
        assert len(open_leases) <= self.rules.most_open
        assert not set(open_leases) & self.state.book.applied

    def teardown(self) -> None:
        """A last worker finishes the epoch: nothing is lost for ever."""
        if not hasattr(self, "state"):
            return
        self.now += 1000
        while (lease := self.state.next("last", self.now)) is not None:
            self.state.push("last", lease.number, self.state.version, self.pushed(lease), self.now)
        assert set(self.counter.values) == {self.epoch + 1}


TestTraining = Training.TestCase
TestTraining.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
