"""One sync: ask the nodes, decide, act. Repeating it is always safe, and so are two at once."""

from __future__ import annotations

import contextlib
import functools
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from ddl.experiments.agent.whole import read_json, write_json
from ddl.experiments.backends.backend import open_backend
from ddl.experiments.engine import faults
from ddl.experiments.engine.act import Hands
from ddl.experiments.engine.actions import Action, Nothing
from ddl.experiments.engine.decide import decide
from ddl.experiments.engine.elsewhere.delegation import mirror, own_part, read_delegation
from ddl.experiments.engine.news import news
from ddl.experiments.engine.nodes_file import nodes_of
from ddl.experiments.engine.observe import Observer, OpenBackend, questions, remember
from ddl.experiments.engine.placement import impossible
from ddl.experiments.engine.seen import Limits, NodeSeen
from ddl.experiments.notify.smtp.password import take_from_environment
from ddl.experiments.problem import Unreachable
from ddl.experiments.spec.node import Nodes
from ddl.experiments.states import ENDED
from ddl.experiments.store.folder import StoreFolder
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
        impossible: Those of them that no node can ever run, unless nodes.yaml or their needs change.
        unreachable: Node -> what went wrong.
        view: The store afterwards.
    """

    view: StoreView
    lines: list[str] = field(default_factory=list)
    actions: list[Action] = field(default_factory=list)
    waits: dict[str, str] = field(default_factory=dict)
    impossible: list[str] = field(default_factory=list)
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
    if not _has_ended(view):
        view = _grown(view, nodes, teller)
    observer = Observer(view.store, open_node)
    told: dict[str, NodeSeen] = {}
    elsewhere = threading.Thread(target=_mirror, args=(view, teller, open_node), daemon=True)
    elsewhere.start()
    for answers in observer.ask(questions(own_part(view), nodes)):
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
    elsewhere.join()
    report.unreachable |= {
        name: answer.error for name, answer in told.items() if not answer.reachable
    }
    for name, error in report.unreachable.items():
        teller.tell(f"{name} cannot be reached: {error}")
    _keep_waits(view.store, report.waits)
    report.view = read_view(store_path)
    report.impossible = [
        item.name
        for item in own_part(report.view).experiments
        if item.name in report.waits and impossible(item, nodes, told)
    ]
    for line in news(report.view):
        teller.tell(line)
    if _has_ended(report.view):  # else `manage` would end before a search has all its trials
        report.view = _grown(report.view, nodes, teller)
    _after(report, teller)
    return report


def _keep_waits(store: StoreFolder, waits: Mapping[str, str]) -> None:
    """Keep why experiments wait, for `status`, which asks no node."""
    if waits != read_json(store.waits):
        with contextlib.suppress(OSError):  # a full disk: status says less
            write_json(store.waits, dict(sorted(waits.items())))


def _has_ended(view: StoreView) -> bool:
    return all(item.state in ENDED for item in view.experiments)


def _grown(view: StoreView, nodes: Nodes, teller: _Teller) -> StoreView:
    """Return the store with the next trials of its searches."""
    if not any(item.record.search for item in view.experiments):
        return view
    try:
        from ddl.experiments.search import grow_store
    except ImportError:  # a manager on a node without YAML
        teller.tell("The search grows where the spec is: call `sync` there, too.")
        return view
    lines = grow_store(view, nodes)
    for line in lines:
        teller.tell(line)
    return read_view(view.store.path) if lines else view


def _mirror(view: StoreView, teller: _Teller, open_node: OpenBackend) -> None:
    """See to what a manager elsewhere looks after."""
    delegation = read_delegation(view.store)
    if delegation is None:
        return
    try:
        for line in mirror(view.store, delegation, open_node):
            teller.tell(line)
        for name, why in read_json(view.store.waits).items():
            if name in delegation.names:
                teller.waits(name, str(why))
    except (Unreachable, ValueError, OSError) as error:
        teller.lost(delegation.node, str(error))
        answer = NodeSeen(reachable=False, error=str(error))
        remember(view.store, delegation.node, answer, time.time())


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
    view = own_part(read_view(report.view.store.path, now=now))
    work: dict[str, list[Action]] = {}
    for action in decide(view, nodes, seen, now, limits):
        if not isinstance(action, Nothing):
            work.setdefault(node_of(view, action), []).append(action)
        elif _SEEN_TO not in action.why:
            teller.waits(action.experiment, action.why)
    hands = [_Pair(Hands(view, nodes, teller.tell, open_node), teller) for _ in work]
    in_parallel(
        [
            functools.partial(pair.do, node, actions)
            for pair, (node, actions) in zip(hands, work.items(), strict=True)
        ]
    )


def node_of(view: StoreView, action: Action) -> str:
    """Return the node that an action has to do with, "" if none."""
    given = getattr(action, "node", None)
    if given is not None:
        return str(given)
    found = next(item for item in view.experiments if item.name == action.experiment)
    return found.attempts[-1].node if found.attempts else ""


class _Pair:
    """Two hands for the work on one node: what is slow there holds up no other node."""

    def __init__(self, hands: Hands, teller: _Teller) -> None:
        self._hands = hands
        self._teller = teller

    def do(self, node: str, actions: Sequence[Action]) -> None:
        """Do all that is due on a node. It ends where the node stops answering."""
        for place, action in enumerate(actions):
            try:
                if line := self._hands.do(action):
                    self._teller.did(action, line)
            except Unreachable as error:
                self._teller.tell(f"{action.experiment}: unknown whether it was done: {error}")
                for left in actions[place + 1 :]:
                    self._teller.waits(left.experiment, str(error))
                return
            except (OSError, ValueError) as error:
                self._teller.tell(f"{action.experiment}: {error}")
        try:
            for done, line in self._hands.carry_out(node) if node else ():
                self._teller.did(done, line)
        except Unreachable as error:
            self._teller.tell(f"{node}: unknown what was done; the next sync looks. {error}")


def in_parallel(works: Sequence[Callable[[], None]]) -> None:
    """Do some works at once, each in a thread, and wait for all. What one of them raises is raised."""
    if len(works) <= 1:
        for work in works:
            work()
        return
    with ThreadPoolExecutor(len(works)) as pool:
        for done in [pool.submit(work) for work in works]:
            done.result()


class _Teller:
    def __init__(self, report: Report, say: Callable[[str], None]) -> None:
        self._report = report
        self._say = say
        self._lock = threading.RLock()

    def tell(self, line: str) -> None:
        """Keep a line, and show it."""
        with self._lock:
            self._report.lines.append(line)
            self._say(line)

    def waits(self, experiment: str, why: str) -> None:
        """Keep why nothing is done for an experiment."""
        with self._lock:
            self._report.waits[experiment] = why

    def lost(self, node: str, error: str) -> None:
        """Keep that a node did not answer."""
        with self._lock:
            self._report.unreachable[node] = error

    def did(self, action: Action, line: str) -> None:
        """Keep what was done, and show it."""
        with self._lock:
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
