"""What is due, from what the store says and what the nodes answered. Pure: every interleaving can be tried in a test.

    for action in decide(view, nodes, seen, now):
        ...

Two promises: at most one attempt of an experiment trains at a time, and every wanted one gets one in the end. What an
agent wrote counts more than what a scheduler says, and that more than silence; where a node did not answer, nothing
is done. The table is that of docs/decisions/0014-files-are-the-queue.md.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ddl.experiments.agent.outcome import Step, next_step
from ddl.experiments.engine.actions import Action, HandOver, NewAttempt, Nothing, Remove, Stop
from ddl.experiments.engine.phase import (
    ENDED,
    GONE,
    LIVE,
    OVER,
    UNKNOWN,
    Phase,
    finished,
    phase_of,
    tidy,
)
from ddl.experiments.engine.placement import Places
from ddl.experiments.engine.seen import Limits, NodeSeen
from ddl.experiments.spec.node import Nodes
from ddl.experiments.store.attempts import AttemptView, number
from ddl.experiments.store.view import ExperimentView, StoreView

_HOW = {"stop": "stop", "pause": "pause", "remove": "kill"}
_OUTCOME = {"stop": "stopped", "pause": "paused", "remove": "stopped"}
_LIMITS = Limits()


@dataclass(frozen=True)
class World:
    """What decisions are made from."""

    nodes: Nodes
    seen: Mapping[str, NodeSeen]
    now: float
    limits: Limits


def decide(
    view: StoreView,
    nodes: Nodes,
    seen: Mapping[str, NodeSeen],
    now: float,
    limits: Limits = _LIMITS,
) -> list[Action]:
    """Return what is due, those with the highest priority first.

    Args:
        view: the store, read after the nodes had answered: what ended meanwhile has its status there.
        nodes: the nodes that experiments may name.
        seen: what each node answered in this sync.
        now: the manager's clock.
        limits: how long to wait before something is certain.
    """
    world = World(nodes, seen, now, limits)
    actions: list[Action] = []
    new: list[tuple[ExperimentView, int, str]] = []
    for experiment in view.experiments:
        for action in _decide_one(experiment, world):
            if isinstance(action, NewAttempt) and not action.node:
                new.append((experiment, action.attempt, action.reason))
            else:
                actions.append(action)
    places = Places(view, nodes, seen)
    new.sort(key=lambda item: (-priority_of(item[0]), item[0].number))
    for experiment, attempt, reason in new:
        actions.append(places.place(experiment, attempt, reason))
    return actions


def priority_of(experiment: ExperimentView) -> int:
    """Return the priority of an experiment: the user's last word, else its spec's."""
    given = experiment.wanted.get("priority")
    return experiment.record.priority if given is None else int(number(given))


def _decide_one(experiment: ExperimentView, world: World) -> Iterator[Action]:
    """Yield what is due for one experiment; a new attempt without a node still has to be placed."""
    attempts = [attempt for attempt in experiment.attempts if attempt.name]
    phases = {
        a.number: phase_of(a, world.seen, world.nodes, world.now, world.limits) for a in attempts
    }
    for attempt in attempts:
        yield from tidy(experiment, attempt, phases[attempt.number], world.now)
    want = str(experiment.wanted.get("want", "nothing"))
    if want in _HOW:
        yield from _to_end(experiment, attempts, phases, want, world)
    elif want == "run":
        yield from _to_run(experiment, attempts, phases, world)


def _to_end(
    experiment: ExperimentView,
    attempts: list[AttemptView],
    phases: Mapping[int, Phase],
    want: str,
    world: World,
) -> Iterator[Action]:
    left = [attempt for attempt in attempts if phases[attempt.number].kind != ENDED]
    for attempt in left:
        yield from _end(experiment, attempt, phases[attempt.number], want, world)
    if want == "remove" and not left:
        yield Remove(experiment=experiment.name)


def _end(
    experiment: ExperimentView, attempt: AttemptView, phase: Phase, want: str, world: World
) -> Iterator[Action]:
    """Yield what ends an attempt that is not wanted any more."""
    by = str(experiment.wanted.get("by") or "user")
    if phase.kind in (LIVE, GONE) or (phase.kind == OVER and phase.has_queue):
        # What may still be on its way is told, too: the agent there takes the claim, so that nobody else can.
        asked = number(attempt.stop.get("time"))
        how = _HOW[want]
        stronger = how == "kill" and attempt.stop.get("how") != "kill"
        if stronger or not asked or world.now - asked > world.limits.again_stop_s:
            yield Stop(
                experiment=experiment.name,
                attempt=attempt.number,
                node=attempt.node,
                how=how,
                by=by,
                why=f"{want} wanted",
            )
        if phase.kind == OVER:
            yield HandOver(experiment=experiment.name, attempt=attempt.number, node=attempt.node)
        return
    yield from _without_status(experiment, attempt, phase, world, _OUTCOME[want])


def _to_run(
    experiment: ExperimentView,
    attempts: list[AttemptView],
    phases: Mapping[int, Phase],
    world: World,
) -> Iterator[Action]:
    first = max(1, int(number(experiment.wanted.get("first_attempt"))))
    left = [attempt for attempt in attempts if phases[attempt.number].kind != ENDED]
    last = attempts[-1] if attempts else None
    following = last.number + 1 if last else 1
    if last is None or last.number < first:
        yield from _begin(experiment, left, phases, max(following, first), bool(last), world)
        return
    phase = phases[last.number]
    if phase.kind == ENDED:
        step = _next(experiment, attempts, first)
        if step.step != "again":
            return
        if not phase.is_known:
            yield Nothing(experiment=experiment.name, why=f"{last.node} does not answer")
        # The agent or the runner beside the job makes the next one at once; only where it did not, we do.
        elif phase.gone_for_s >= phase.patience.chain_s or not _has_chain(last, world):
            yield _again(experiment, following, last, step.reason, world)
        else:
            yield Nothing(experiment=experiment.name, why="its node makes the next attempt")
    elif phase.kind == GONE and phase.is_certain:
        yield HandOver(experiment=experiment.name, attempt=last.number, node=last.node)
    elif phase.kind in (GONE, OVER, UNKNOWN):
        yield from _without_status(experiment, last, phase, world, "")


def _begin(
    experiment: ExperimentView,
    left: list[AttemptView],
    phases: Mapping[int, Phase],
    following: int,
    was_tried: bool,
    world: World,
) -> Iterator[Action]:
    """Yield the first attempt, or the first since `resume` or `retry`: not before all earlier ones have ended."""
    for attempt in left:
        phase = phases[attempt.number]
        if attempt.stop or phase.kind in (OVER, GONE):
            yield from _end(experiment, attempt, phase, "stop", world)
    if left:
        yield Nothing(
            experiment=experiment.name, why=f"attempt {left[-1].number} has not ended yet"
        )
        return
    reason = "first"
    if was_tried:
        reason = "retry" if number(experiment.wanted.get("tries")) else "resume"
    yield NewAttempt(experiment=experiment.name, attempt=following, node="", reason=reason)


def _without_status(
    experiment: ExperimentView, attempt: AttemptView, phase: Phase, world: World, outcome: str
) -> Iterator[Action]:
    """Yield what follows where a job is over, but its agent wrote no status."""
    if phase.kind != OVER or not phase.is_certain:
        yield Nothing(experiment=experiment.name, why=phase.why)
    elif phase.has_queue:  # the node's runner ends what is left, and writes the status
        yield HandOver(experiment=experiment.name, attempt=attempt.number, node=attempt.node)
    elif phase.may_live:
        # Its machine is lost, not surely its processes: a status would tell the successor to start at once. Without
        # one the successor waits until the lease has ended.
        if outcome:
            if phase.gone_for_s > world.limits.lease_s:
                yield finished(experiment, attempt, outcome, phase.why)
            return
        following = attempt.number + 1
        yield _again(experiment, following, attempt, "node lost", world)
    else:
        found = phase.outcome
        yield finished(
            experiment, attempt, outcome or found.outcome, found.why, found.cause, phase.returncode
        )


def _next(experiment: ExperimentView, attempts: list[AttemptView], first: int) -> Step:
    counted = [attempt for attempt in attempts if attempt.number >= first]
    starts = sum(attempt.outcome == "never started" for attempt in counted)
    if counted[-1].outcome == "never started" and starts > experiment.record.retries:
        return Step("failed", "never started")
    statuses = [{**attempt.status, "attempt": attempt.number} for attempt in attempts]
    return next_step(statuses, experiment.record.retries, experiment.wanted)


def _again(
    experiment: ExperimentView, following: int, last: AttemptView, reason: str, world: World
) -> NewAttempt:
    """Return the next attempt: where the last one was, whose checkpoints lie there; elsewhere if the user says so."""
    given = experiment.wanted.get("node")
    stays = last.node in world.nodes.nodes and (
        not given or last.node in [node.name for node in world.nodes.of(str(given))]
    )
    return NewAttempt(
        experiment=experiment.name,
        attempt=following,
        node=last.node if stays else "",
        reason=reason,
    )


def _has_chain(attempt: AttemptView, world: World) -> bool:
    """Return whether somebody beside the job makes the next attempt."""
    chain = attempt.intent.get("chain")
    if chain == "runner":
        runner = world.seen.get(attempt.node, NodeSeen(reachable=False)).facts.get("runner")
        return bool(isinstance(runner, Mapping) and runner.get("alive"))
    return chain == "agent"
