"""One sync: ask the nodes, decide, act. Repeating it is always safe, and so are two at once."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ddl.experiments.backends.backend import open_backend
from ddl.experiments.engine import faults
from ddl.experiments.engine.act import Hands
from ddl.experiments.engine.actions import Action, Nothing
from ddl.experiments.engine.decide import decide
from ddl.experiments.engine.news import news
from ddl.experiments.engine.nodes_file import nodes_of
from ddl.experiments.engine.observe import Observer, OpenBackend, questions
from ddl.experiments.engine.seen import Limits, NodeSeen
from ddl.experiments.notify.smtp.password import take_from_environment
from ddl.experiments.problem import Unreachable
from ddl.experiments.search import grow_store
from ddl.experiments.spec.node import Nodes
from ddl.experiments.store.view import StoreView, read_view

_LIMITS = Limits()
_SEEN_TO = "it was seen to a moment ago"


@dataclass
class Report:
    """What a sync did.

    Attributes:
        lines: For people, in order.
        actions: What was done, without what waits.
        waits: Experiment -> why nothing was done for it.
        unreachable: Node -> what went wrong.
        view: The store afterwards.
    """

    view: StoreView
    lines: list[str] = field(default_factory=list)
    actions: list[Action] = field(default_factory=list)
    waits: dict[str, str] = field(default_factory=dict)
    unreachable: dict[str, str] = field(default_factory=dict)


def sync(
    store_path: Path,
    *,
    say: Callable[[str], None] = lambda line: None,
    clock: Callable[[], float] = time.time,
    limits: Limits = _LIMITS,
    open_node: OpenBackend = open_backend,
) -> Report:
    """Reconcile a store with its nodes once.

    Args:
        store_path: the store.
        say: gets each line as soon as it is known.
        clock: the manager's clock.
        limits: how long to wait before something is certain.
        open_node: opens the backend of a node.
    """
    take_from_environment()  # no job inherits the mail server's password
    view = read_view(store_path)
    nodes, note = nodes_of(view.store)
    report = Report(view)
    teller = _Teller(report, say)
    if note:
        teller.tell(note)
    for name, reason in view.damaged.items():
        teller.tell(f"{name} cannot be read. {reason}")
    if grown := grow_store(view, nodes):
        for line in grown:
            teller.tell(line)
        view = read_view(store_path)
    observer = Observer(view.store, open_node)
    told: dict[str, NodeSeen] = {}
    for answers in observer.ask(questions(view, nodes), teller.tell):
        faults.point("after observation")
        told |= answers
        _round(
            report,
            nodes,
            {**dict.fromkeys(told, _earlier()), **answers},
            teller,
            clock(),
            limits,
            open_node,
        )
    if not told:
        _round(report, nodes, {}, teller, clock(), limits, open_node)
    report.unreachable = {
        name: answer.error for name, answer in told.items() if not answer.reachable
    }
    for name, error in report.unreachable.items():
        teller.tell(f"{name} cannot be reached: {error}")
    report.view = read_view(store_path)
    for line in news(report.view):
        teller.tell(line)
    _after(report, teller)
    return report


def _earlier() -> NodeSeen:
    return NodeSeen(reachable=False, error=_SEEN_TO)


def _round(
    report: Report,
    nodes: Nodes,
    seen: Mapping[str, NodeSeen],
    teller: _Teller,
    now: float,
    limits: Limits,
    open_node: OpenBackend,
) -> None:
    """Decide and act by the answers of some nodes. The store is read after they came."""
    view = read_view(report.view.store.path, now=now)
    hands = Hands(view, nodes, teller.tell, open_node)
    lost: dict[str, str] = {}
    for action in decide(view, nodes, seen, now, limits):
        if isinstance(action, Nothing):
            if _SEEN_TO not in action.why:
                report.waits[action.experiment] = action.why
            continue
        node = str(getattr(action, "node", ""))
        if node in lost:  # it has just stopped answering: the others need not wait for it again
            report.waits[action.experiment] = lost[node]
            continue
        try:
            if line := hands.do(action):
                teller.did(action, line)
        except Unreachable as error:
            lost[node] = str(error)
            teller.tell(f"{action.experiment}: unknown whether it was done: {error}")
        except (OSError, ValueError) as error:
            teller.tell(f"{action.experiment}: {error}")
    for node in nodes.nodes:
        try:
            for done, line in hands.hand_over(node) if node not in lost else ():
                teller.did(done, line)
        except Unreachable as error:
            teller.tell(f"{node}: unknown what was handed over; the next sync looks. {error}")


class _Teller:
    def __init__(self, report: Report, say: Callable[[str], None]) -> None:
        self._report = report
        self._say = say

    def tell(self, line: str) -> None:
        """Keep a line, and show it."""
        self._report.lines.append(line)
        self._say(line)

    def did(self, action: Action, line: str) -> None:
        """Keep what was done, and show it."""
        self._report.actions.append(action)
        self._report.waits.pop(action.experiment, None)
        self.tell(f"{action.experiment}: {line}")


def _after(report: Report, teller: _Teller) -> None:
    """Write the table, and send what is to be told."""
    from ddl.experiments import notify
    from ddl.experiments.table import write_table

    path = report.view.store.path
    try:
        write_table(path)
    except (OSError, ValueError) as error:
        teller.tell(f"no table: {error}")
    for line in notify.after_sync(path, report.view):
        teller.tell(line)
