"""Carries out what was decided. Between any two steps this process may die; the next sync goes on from the files."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from ddl.experiments.agent.layout import AttemptFolder, ExperimentFolder
from ddl.experiments.agent.whole import create_json, make_folder, read_json, write_json
from ddl.experiments.backends.backend import (
    Attempt,
    Backend,
    Submitted,
    folder_there,
    open_backend,
)
from ddl.experiments.engine import faults
from ddl.experiments.engine.actions import (
    Action,
    Adopt,
    Cancel,
    Finish,
    HandOver,
    NewAttempt,
    Remove,
    Stop,
)
from ddl.experiments.engine.decide import priority_of
from ddl.experiments.engine.files.removal import take_away
from ddl.experiments.engine.files.sending import Say, Sender, create_there, root_of
from ddl.experiments.engine.papers import FORMAT, status_of
from ddl.experiments.spec.node import Node, Nodes
from ddl.experiments.store.folder import StoreFolder
from ddl.experiments.store.view import ExperimentView, StoreView
from ddl.experiments.store.wanted import read_wanted

OpenBackend = Callable[[Node], Backend]


@dataclass(frozen=True)
class Prepared:
    """An attempt whose intent and files are in place, and that is to be handed over."""

    action: NewAttempt | HandOver
    attempt: AttemptFolder
    reason: str


class Hands:
    """Does what is due in a store. It opens each node once."""

    def __init__(
        self, view: StoreView, nodes: Nodes, say: Say, open_node: OpenBackend = open_backend
    ) -> None:
        """Remember the store and the nodes. Does nothing yet."""
        self._store: StoreFolder = view.store
        self._views = {experiment.name: experiment for experiment in view.experiments}
        self._nodes = nodes
        self._say = say
        self._open = open_node
        self._backends: dict[str, Backend] = {}
        self._prepared: dict[str, list[Prepared]] = {}
        self._stops: dict[str, list[tuple[Stop, AttemptFolder]]] = {}
        self._senders: dict[str, Sender] = {}

    def do(self, action: Action) -> str:
        """Do one thing. Return what was done, in one line; "" where another manager was quicker.

        Stops and hand-overs are only prepared: `carry_out` does them together.

        Raises:
            Unreachable: It is not known whether it was done.
        """
        experiment = self._views[action.experiment]
        if isinstance(action, NewAttempt):
            self._begin(experiment, action)
            return ""
        if isinstance(action, HandOver):
            self._again(experiment, action)
            return ""
        if isinstance(action, Adopt):
            return self._adopt(experiment, action)
        if isinstance(action, Cancel):
            self._backend(action.node).cancel(action.job)
            return f"attempt {action.attempt}: cancelled job {action.job}, one of two"
        if isinstance(action, Stop):
            self._prepare_stop(experiment, action)
            return ""
        if isinstance(action, Finish):
            return self._finish(experiment, action)
        if isinstance(action, Remove):
            return self._remove(experiment)
        return ""

    def carry_out(self, node: str) -> Iterator[tuple[Action, str]]:
        """Stop and hand over what was prepared for a node; yield each with what became of it.

        Raises:
            Unreachable: It is not known what was done.
        """
        if node in self._stops:
            yield from self._stop_all(node)
        if node in self._prepared:
            yield from self._hand_over(node)

    def _hand_over(self, node: str) -> Iterator[tuple[Action, str]]:
        prepared = self._prepared.pop(node, [])
        attempts = [Attempt.read(each.attempt) for each in prepared]
        backend = self._backend(node)
        try:
            submitted = backend.hand_over_all(attempts) if attempts else []
        except ValueError:  # one of them; which, the calls for each will tell
            submitted = None
        if submitted is not None:
            faults.point("after hand-over")
            for each, found in zip(prepared, submitted, strict=True):
                yield each.action, self._acknowledge(each, node, found)
            return
        for each, attempt in zip(prepared, attempts, strict=True):
            try:
                found = backend.hand_over(attempt)
            except ValueError as error:
                yield each.action, self._refuse(each.attempt, node, str(error))
                continue
            faults.point("after hand-over")
            yield each.action, self._acknowledge(each, node, found)

    def _acknowledge(self, prepared: Prepared, node: str, submitted: Submitted) -> str:
        value = {"id": submitted.id, "where": submitted.where, "time": time.time()}
        write_json(prepared.attempt.submitted, value)
        faults.point("after acknowledgement")
        job = f", job {submitted.id}" if submitted.id else ""
        number = prepared.attempt.number
        return f"attempt {number}: handed over to {node}{job} ({prepared.reason})"

    def _backend(self, name: str) -> Backend:
        if name not in self._backends:
            self._backends[name] = self._open(self._nodes.nodes[name])
        return self._backends[name]

    def _begin(self, experiment: ExperimentView, action: NewAttempt) -> None:
        """Write an intent, and prepare its hand-over: it is on disk before anything happens on the node."""
        if read_wanted(experiment.folder)["want"] != "run":
            return
        node = self._nodes.nodes[action.node]
        attempt = experiment.folder.attempt(action.attempt)
        intent = self._intent(experiment, action, node, attempt)
        experiment.folder.attempts.mkdir(exist_ok=True)
        make_folder(attempt.path)
        faults.point("after attempt folder")
        if create_json(attempt.intent, intent):
            faults.point("after intent")
            self._prepare(experiment, action, attempt, action.reason)

    def _intent(
        self, experiment: ExperimentView, action: NewAttempt, node: Node, attempt: AttemptFolder
    ) -> dict[str, Any]:
        backend = self._backend(node.name)
        root = root_of(node, self._store, backend.transport)
        parts = backend.intent_parts(experiment.record, folder_there(root, attempt))
        return {
            "format": FORMAT,
            "name": f"ddl-{self._store.id}-{experiment.number:03d}-a{action.attempt}",
            "number": action.attempt,
            "node": node.name,
            "backend": node.type,
            "created": time.time(),
            "by": "manager",
            "reason": action.reason,
            "slots": node.slots,
            "priority": priority_of(experiment),
            "root": root,
            "setup": node.setup,
            "env": dict(node.env),
            **parts,
        }

    def _prepare(
        self,
        experiment: ExperimentView,
        action: NewAttempt | HandOver,
        attempt: AttemptFolder,
        reason: str,
    ) -> None:
        node = self._nodes.nodes[action.node]
        if not node.shared:
            try:
                sender = self._sender(node, self._backend(node.name))
                sender.send(experiment.folder, experiment.record, attempt)
            except ValueError as error:
                self._refuse(attempt, node.name, str(error))
                raise
        faults.point("after files")
        self._prepared.setdefault(node.name, []).append(Prepared(action, attempt, reason))

    def _sender(self, node: Node, backend: Backend) -> Sender:
        if node.name not in self._senders:
            root = root_of(node, self._store, backend.transport)
            self._senders[node.name] = Sender(self._store, backend.transport, root, self._say)
        return self._senders[node.name]

    def _refuse(self, attempt: AttemptFolder, node: str, why: str) -> str:
        refusal = Finish(experiment="", attempt=attempt.number, outcome="refused", why=why)
        create_json(attempt.status, status_of(attempt, refusal))
        return f"attempt {attempt.number}: refused by {node}: {why}"

    def _again(self, experiment: ExperimentView, action: HandOver) -> None:
        attempt = experiment.folder.attempt(action.attempt)
        if self._nodes.nodes[action.node].type == "slurm":
            # Slurm takes the same name twice. So of several managers one may try, and each try is on disk before.
            tries = len(list(attempt.path.glob("again-*.json"))) + 1
            if not create_json(attempt.path / f"again-{tries}.json", {"time": time.time()}):
                return
        self._prepare(experiment, action, attempt, "again")

    def _adopt(self, experiment: ExperimentView, action: Adopt) -> str:
        attempt = experiment.folder.attempt(action.attempt)
        found = {"id": action.job, "where": action.where, "time": time.time(), "by": "adoption"}
        write_json(attempt.submitted, found)
        job = f" as job {action.job}" if action.job else ""
        return f"attempt {action.attempt}: found{job}"

    def _prepare_stop(self, experiment: ExperimentView, action: Stop) -> None:
        attempt = experiment.folder.attempt(action.attempt)
        node = self._nodes.nodes[action.node]
        if not node.shared and not attempt.submitted.exists():
            # What is on its way there must find the request, so the attempt goes there first.
            sender = self._sender(node, self._backend(action.node))
            sender.send(experiment.folder, experiment.record, attempt, with_files=False)
        self._stops.setdefault(node.name, []).append((action, attempt))

    def _stop_all(self, node: str) -> Iterator[tuple[Action, str]]:
        """Ask attempts on a node to end: those that are asked the same in one call."""
        groups: dict[tuple[str, str, str], list[tuple[Stop, AttemptFolder]]] = {}
        for action, attempt in self._stops.pop(node, []):
            groups.setdefault((action.how, action.by, action.why), []).append((action, attempt))
        backend = self._backend(node)
        for (how, by, why), group in groups.items():
            attempts = [Attempt.read(attempt) for _, attempt in group]
            try:
                backend.stop_all(attempts, how, by, why)
            except ValueError:  # one of them; which, the calls for each will tell
                for each in attempts:
                    backend.stop(each, how, by, why)
            faults.point("after stop")
            for action, folder in group:
                _note_stop(folder, action)
                yield action, f"attempt {action.attempt}: asked to {how}"

    def _finish(self, experiment: ExperimentView, action: Finish) -> str:
        attempt = experiment.folder.attempt(action.attempt)
        status = status_of(attempt, action)
        intent = read_json(attempt.intent)
        node = self._nodes.nodes.get(str(intent.get("node")))
        if node is not None and not node.shared:
            backend = self._backend(node.name)
            there = folder_there(str(intent["root"]), attempt)
            if backend.transport.run(["test", "-d", there]).returncode == 0:
                create_there(backend.transport, f"{there}/status.json", status)
        if not create_json(attempt.status, status):
            return ""
        faults.point("after finish")
        return f"attempt {action.attempt}: {action.outcome}: {action.why}"

    def _remove(self, experiment: ExperimentView) -> str:
        for attempt in experiment.attempts:
            self._remove_there(experiment.folder, attempt.node, str(attempt.intent.get("root", "")))
        return take_away(self._store, experiment.folder)

    def _remove_there(self, folder: ExperimentFolder, name: str, root: str) -> None:
        """Remove the copy on a node that does not see the store."""
        node = self._nodes.nodes.get(name)
        if node is None or node.shared or not root.startswith("/"):
            return
        there = f"{root}/{folder.path.name}"
        transport = self._backend(name).transport
        found = transport.run(["cat", f"{there}/experiment.json"]).stdout
        if folder.path.name in found:  # ours, and no folder of a stranger
            transport.run(["rm", "-rf", "--", there], timeout_s=300)


def _note_stop(attempt: AttemptFolder, action: Stop) -> None:
    """Note a request here, too, where the node does not see the store, and when it was made last."""
    request = {"how": action.how, "by": action.by, "time": time.time(), "why": action.why}
    if not attempt.path.is_dir() or create_json(attempt.stop, request):
        return
    before = read_json(attempt.stop)
    how = "kill" if action.how == "kill" else before.get("how", action.how)
    write_json(attempt.stop, {**request, **before, "how": how, "time": request["time"]})
