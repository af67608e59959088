"""Asking the nodes, each in a thread of its own with a limit: a slow one holds up no other."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ddl.experiments.agent.whole import read_json, write_json
from ddl.experiments.backends.backend import RUNNING, WAITING, Attempt, Backend, Seen, open_backend
from ddl.experiments.engine import faults
from ddl.experiments.engine.files.fetching import fetch, is_due
from ddl.experiments.engine.files.sending import root_of, send_wanted
from ddl.experiments.engine.seen import NodeSeen
from ddl.experiments.problem import Unreachable
from ddl.experiments.spec.node import Node, Nodes
from ddl.experiments.states import ENDED
from ddl.experiments.store.folder import StoreFolder
from ddl.experiments.store.view import StoreView, read_view

FORMAT = 1
PATIENCE_S = 4.0
"""Nodes that answered within this time are seen to before the others have answered."""
LIMIT_S = 90.0
"""A node that did not answer within this time is left for the next sync."""

OpenBackend = Callable[[Node], Backend]


@dataclass(frozen=True)
class Question:
    """What one node is asked.

    Attributes:
        node: The node.
        attempts: Attempts that may live there, or whose successor may be due.
    """

    node: Node
    attempts: tuple[Attempt, ...]


def questions(view: StoreView, nodes: Nodes) -> list[Question]:
    """Return which nodes have to be asked, and about what: nobody else is bothered."""
    asked: dict[str, list[Attempt]] = {}
    for experiment in view.experiments:
        named = [attempt for attempt in experiment.attempts if attempt.name]
        is_wanted = experiment.wanted.get("want") == "run" and experiment.state not in ENDED
        last = named[-1:] if is_wanted else []
        for attempt in named:
            if not attempt.has_ended or attempt in last:
                asked.setdefault(attempt.node, []).append(
                    Attempt(
                        folder=attempt.folder,
                        intent=attempt.intent,
                        submitted=attempt.submitted,
                        claimed=bool(attempt.claims),
                    )
                )
        if is_wanted:
            wanted = str(experiment.wanted.get("node") or experiment.record.node)
            if not named or experiment.attempts[-1].has_ended:
                for node in nodes.of(wanted):
                    asked.setdefault(node.name, [])
    return [
        Question(nodes.nodes[name], tuple(attempts))
        for name, attempts in asked.items()
        if name in nodes.nodes
    ]


class Observer:
    """Asks all nodes of a sync at once."""

    def __init__(self, store: StoreFolder, open_node: OpenBackend = open_backend) -> None:
        """Remember the store. Asks nobody yet."""
        self._store = store
        self._open = open_node
        self._answers: dict[str, NodeSeen] = {}
        self._fetching: set[str] = set()
        self._condition = threading.Condition()

    def ask(self, asked: Sequence[Question]) -> Iterator[dict[str, NodeSeen]]:
        """Yield the answers in rounds: those of quick nodes first. Each node's answer comes once."""
        for question in asked:
            name = question.node.name
            threading.Thread(target=self._work, args=(question,), name=name, daemon=True).start()
        names = {question.node.name for question in asked}
        began = time.monotonic()
        early = self._wait(names, began + PATIENCE_S)
        if early:
            yield early
        left = names - set(early)
        if left:
            answers = self._wait(left, began + LIMIT_S, is_last=True)
            late = NodeSeen(reachable=False, error=f"it did not answer within {LIMIT_S:.0f} s")
            yield {name: answers.get(name, late) for name in left}

    def _wait(self, names: set[str], until: float, is_last: bool = False) -> dict[str, NodeSeen]:
        """Return the answers that have come. What is being fetched from a node is on its way: it is waited for."""
        with self._condition:
            while not names <= set(self._answers):
                left_s = until - time.monotonic()
                missing = names - set(self._answers)
                if left_s <= 0 and not (is_last and missing & self._fetching):
                    break
                self._condition.wait(left_s if left_s > 0 else 1.0)
            return {name: self._answers[name] for name in names & set(self._answers)}

    def _work(self, question: Question) -> None:
        try:
            answer = self._observe(question)
        except (Unreachable, ValueError, OSError) as error:
            answer = NodeSeen(reachable=False, error=str(error))
        try:
            remember(self._store, question.node.name, answer, time.time())
        except OSError as error:  # a full disk: a thread that died here would be waited for in vain
            answer = NodeSeen(reachable=False, error=f"its answer cannot be kept: {error.strerror}")
            self._forget(question.node.name)
        with self._condition:
            self._answers[question.node.name] = answer
            self._condition.notify_all()

    def _forget(self, name: str) -> None:
        """Take away what was seen: how long a job has been gone counts only without a gap between the answers."""
        with contextlib.suppress(OSError):
            (self._store.seen / f"{name}.json").unlink()

    def _observe(self, question: Question) -> NodeSeen:
        node = question.node
        backend = self._open(node)
        facts = backend.facts()
        jobs = backend.observe(question.attempts) if question.attempts else {}
        attempts = list(question.attempts)
        if not node.shared and attempts:
            new = self._fetch(backend, node, attempts)
            jobs |= backend.observe(new) if new else {}
            attempts += new
        before = read_json(self._store.seen / f"{node.name}.json")
        return NodeSeen(
            jobs=jobs, gone_since=gone_since(before, jobs, attempts, time.time()), facts=facts
        )

    def _fetch(self, backend: Backend, node: Node, asked: Sequence[Attempt]) -> list[Attempt]:
        """Fetch what is new there. Return attempts that the node has made since it was asked."""
        view = read_view(self._store.path)
        due = [experiment for experiment in view.experiments if is_due(experiment, node.name)]
        if not due:
            return []
        root = root_of(node, self._store, backend.transport)
        if backend.transport.run(["test", "-d", root]).returncode:
            return []  # nothing was sent yet
        # Runners there go by what is wanted: told first, they make no attempt that the user has taken back.
        send_wanted(backend.transport, root, self._store, [item.folder.path.name for item in due])
        self._fetching.add(node.name)
        fetch(backend.transport, root, self._store, due)
        faults.point("after fetch")
        known = {attempt.name for attempt in asked}
        folders = [experiment.folder for experiment in due]
        found = [
            Attempt.read(folder.attempt(number))
            for folder in folders
            for number in folder.attempt_numbers()
        ]
        return [
            attempt
            for attempt in found
            if attempt.intent.get("name")
            and attempt.name not in known
            and attempt.intent.get("node") == node.name
            and not attempt.folder.status.exists()
        ]


def gone_since(
    before: Mapping[str, Any],
    jobs: Mapping[str, Sequence[Seen]],
    attempts: Sequence[Attempt],
    now: float,
) -> dict[str, float]:
    """Return since when the node has shown no live job of each name. An unanswered sync starts the time anew."""
    known = before.get("gone_since") if before.get("reachable") else None
    known = known if isinstance(known, Mapping) else {}
    found = {}
    for attempt in attempts:
        live = [job for job in jobs.get(attempt.name, ()) if job.state in (WAITING, RUNNING)]
        if not live:
            since = known.get(attempt.name)
            first = since if isinstance(since, int | float) else now
            found[attempt.name] = max(float(first), last_hand_over(attempt))
    return found


def last_hand_over(attempt: Attempt) -> float:
    """Return when somebody began to hand an attempt over last."""
    times = [attempt.created]
    for path in attempt.folder.path.glob("again-*.json"):
        time_s = read_json(path).get("time")
        times.append(float(time_s) if isinstance(time_s, int | float) else 0.0)
    return max(times)


def remember(store: StoreFolder, name: str, answer: NodeSeen, now: float) -> None:
    """Write what was seen, for those who only read."""
    store.seen.mkdir(exist_ok=True)
    path = store.seen / f"{name}.json"
    before = read_json(path)
    if answer.reachable:
        value: dict[str, Any] = {
            "reachable": True,
            "time": now,
            "error": "",
            "since_unreachable": None,
            "jobs": {name: [asdict(job) for job in jobs] for name, jobs in answer.jobs.items()},
            "queried": sorted(answer.jobs),
            "gone_since": dict(answer.gone_since),
            "facts": dict(answer.facts),
        }
    else:
        since = before.get("since_unreachable") if before.get("reachable") is False else None
        value = {
            **before,
            "reachable": False,
            "tried": now,
            "error": answer.error,
            "since_unreachable": since or now,
            "gone_since": {},
        }
    write_json(path, {"format": FORMAT, **value})
