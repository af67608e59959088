"""Nodes without a scheduler: the agent keeps a queue of its own there, with slots, and takes each name once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ddl.experiments.backends.backend import (
    ENDED,
    RUNNING,
    UNKNOWN,
    WAITING,
    Attempt,
    Seen,
    Submitted,
)
from ddl.experiments.backends.remote_agent import RemoteAgent
from ddl.experiments.backends.transport import Transport
from ddl.experiments.problem import Unreachable
from ddl.experiments.spec.node import Node
from ddl.experiments.spec.records import Experiment

_MOST_WORDS = 200  # attempts in one call: a command line has an end
_LOOK_S = 30.0
_PROCESS_GONE = "process gone"


class QueueBackend:
    """A node whose queue is the agent's."""

    def __init__(self, node: Node, transport: Transport) -> None:
        """Remember the node and the way to it. Connects to nothing."""
        self.node = node
        self.transport = transport
        self.agent = RemoteAgent(transport, node.python)
        self._host = ""

    def observe(self, attempts: Sequence[Attempt]) -> dict[str, list[Seen]]:
        """Return what the node has of these attempts."""
        found: dict[str, list[Seen]] = {}
        for start in range(0, len(attempts), _MOST_WORDS):
            part = attempts[start : start + _MOST_WORDS]
            told = self.agent.call(["look", *(each.there for each in part)], timeout_s=_LOOK_S)
            for each in part:
                value = told.get(each.name, told.get(each.there))
                if not isinstance(value, Mapping):
                    raise Unreachable(f"{self._name()}: the agent told nothing of {each.name}.")
                found[each.name] = self._seen(value)
        return found

    def _seen(self, told: Mapping[str, Any]) -> list[Seen]:
        state = told.get("state")
        identity = told.get("identity") or {}
        where = str(identity.get("host") or "")
        start = (
            identity.get("started") if isinstance(identity.get("started"), int | float) else None
        )
        if state in ("absent", "intent") or (state == "claimed" and not identity):
            return []
        if state == "queued":
            return [Seen(state=WAITING, raw="queued")]
        if state == "ended":
            outcome = str((told.get("status") or {}).get("outcome") or "")
            return [Seen(state=ENDED, reason=outcome, raw="ended", start=start, node=where)]
        if told.get("alive"):
            return [Seen(state=RUNNING, raw=str(state), start=start, node=where)]
        if where and where == self._host_name():
            return [
                Seen(state=ENDED, reason=_PROCESS_GONE, raw=str(state), start=start, node=where)
            ]
        told_of = f"it was claimed on {where or 'an unknown host'}"
        return [Seen(state=UNKNOWN, reason=told_of, raw=str(state), start=start, node=where)]

    def hand_over(self, attempt: Attempt) -> Submitted:
        """Put an attempt into the node's queue. Twice is the same as once."""
        return self.hand_over_all([attempt])[0]

    def hand_over_all(self, attempts: Sequence[Attempt]) -> list[Submitted]:
        """Put attempts into the node's queue, in one call: each takes the time of a Python."""
        for start in range(0, len(attempts), _MOST_WORDS):
            part = attempts[start : start + _MOST_WORDS]
            words = [each.there for each in part]
            self.agent.call(["enqueue", *words, *self._limits()])
        return [Submitted("", self._host_name()) for _ in attempts]

    def _limits(self) -> list[str]:
        gpus = [] if self.node.gpus is None else ["--gpus", str(self.node.gpus)]
        return ["--slots", str(self.node.slots), *gpus]

    def stop(self, attempt: Attempt, how: str, by: str, why: str) -> None:
        """Ask an attempt to end."""
        self.stop_all([attempt], how, by, why)

    def stop_all(self, attempts: Sequence[Attempt], how: str, by: str, why: str) -> None:
        """Ask attempts to end, in one call."""
        for start in range(0, len(attempts), _MOST_WORDS):
            words = [each.there for each in attempts[start : start + _MOST_WORDS]]
            self.agent.call(["stop", *words, f"--how={how}", f"--by={by}", f"--why={why}"])

    def cancel(self, job_id: str) -> None:
        """Do nothing: the queue takes each name once."""

    def facts(self) -> dict[str, Any]:
        """Return what the agent tells of the machine."""
        folder = self.node.folder or self.transport.home()
        if folder.startswith("~"):
            folder = self.transport.home() + folder[1:]
        told = self.agent.call(["node", folder])
        self._host = str(told.get("host") or "")
        return told

    def intent_parts(self, record: Experiment, attempt_dir: str) -> dict[str, Any]:
        """Return the parts of an intent: the node's runner makes the next attempt."""
        return {"hand_over": None, "successor": None, "time_limit_s": None, "chain": "runner"}

    def _host_name(self) -> str:
        if not self._host:
            self.facts()
        return self._host

    def _name(self) -> str:
        return self.transport.host or "this machine"
