"""`plan SPEC`: the experiments of a spec and how they differ. Writes nothing."""

from __future__ import annotations

import json as json_text
import shlex
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ddl.experiments.spec.expand import experiments_of
from ddl.experiments.spec.names import value_as_written
from ddl.experiments.spec.planning import Plan, Planned, plan_of
from ddl.experiments.spec.records import Experiment
from ddl.experiments.spec.spec_file import read_spec
from ddl.experiments.spec.text.item import SpecError
from ddl.experiments.spec.text.units import in_bytes, in_time
from ddl.experiments.store.folder import store_for
from ddl.experiments.verbs.of_spec import OfSpec, tell_problems
from ddl.plain_text import escaped


@dataclass(frozen=True, kw_only=True)
class Settings(OfSpec):
    """Show the experiments of a spec: a line each with its name and what differs, then what they need together.

    Nothing is written. Everything that is wrong with the spec is told at once, a line each.
    """


def run(settings: Settings) -> int:
    """Print the plan."""
    try:
        spec = read_spec(settings.spec, settings.command)
        plan = plan_of(spec, experiments_of(spec), store_for(settings.store, spec.store))
    except SpecError as error:
        return tell_problems("plan", error)
    if settings.json:
        text = json_text.dumps(as_json(plan), indent=1, ensure_ascii=True, allow_nan=False)
    else:
        text = "\n".join(escaped(line) for line in lines_of(plan))
    sys.stdout.write(text + "\n")
    return 0


def lines_of(plan: Plan) -> Iterator[str]:
    """Yield the lines of a plan: one an experiment, then totals."""
    width = max(len(row.name) for row in plan.planned)
    some_kept = any(row.kept for row in plan.planned)
    for row in plan.planned:
        kept = ("kept  " if row.kept else "      ") if some_kept else ""
        yield f"{row.name.ljust(width)}  {kept}{_differences(row)}".rstrip()
    yield ""
    yield f"Experiments: {_count(plan)}; {_where(plan)}"
    yield f"Need: {_needs([row.experiment for row in plan.planned])}"
    first = plan.planned[0].experiment
    yield f"First command: {_command(first)}"
    yield f"Runs in: {first.run.folder} ({first.code.policy} code)"
    for sent in plan.sent:
        files = "1 file" if sent.files == 1 else f"{sent.files:,} files"
        yield f"Sends: {sent.pattern} ({files}, {in_bytes(sent.bytes)})"
    yield f"Store: {plan.store}{'' if plan.exists else ' (none yet)'}"
    if plan.vanished:
        yield f"In the store, no longer in the spec, left alone: {', '.join(plan.vanished)}"
    for note in plan.notes:
        yield f"Note: {note}"


def as_json(plan: Plan) -> dict[str, Any]:
    """Return a plan as JSON values."""
    rows = [
        {
            **row.experiment.to_json(),
            "name": row.name,
            "number": int(row.name.partition("-")[0]),
            "new": not row.kept,
            "differs": dict(row.differs),
        }
        for row in plan.planned
    ]
    times = [row.experiment.needs.time_s for row in plan.planned]
    return {
        "spec": plan.spec.name,
        "store": str(plan.store),
        "experiments": rows,
        "new": sum(not row.kept for row in plan.planned),
        "kept": sum(row.kept for row in plan.planned),
        "vanished": list(plan.vanished),
        "time_s": None if None in times else sum(time or 0.0 for time in times),
        "files": [vars(sent) for sent in plan.sent],
        "notes": list(plan.notes),
    }


def _differences(row: Planned) -> str:
    return " ".join(f"{name}={value_as_written(value)}" for name, value in row.differs.items())


def _count(plan: Plan) -> str:
    kept = sum(row.kept for row in plan.planned)
    total = len(plan.planned)
    if not kept:
        return f"{total:,}, all new"
    return f"{total:,}, {total - kept:,} new, {kept:,} in the store already"


def _where(plan: Plan) -> str:
    names = dict.fromkeys(row.experiment.node for row in plan.planned)
    told = []
    for name in names:
        nodes = plan.spec.nodes.of(name)
        group = name in plan.spec.nodes.groups
        kind = ", ".join(node.name for node in nodes) if group else nodes[0].type
        told.append(f"{name} ({kind})")
    return f"on {', '.join(told)}"


def _needs(experiments: list[Experiment]) -> str:
    """Return the time of all together, and the most that one needs of each other thing."""
    needs = [experiment.needs for experiment in experiments]
    times = [need.time_s for need in needs if need.time_s is not None]
    unsaid = len(needs) - len(times)
    parts = [f"{in_time(sum(times))} in all" if times else "time not said"]
    if times and unsaid:
        parts.append(f"{unsaid} of unknown time")
    for word, values, show in (
        ("memory", [need.memory_bytes for need in needs], in_bytes),
        ("GPUs", [need.gpus for need in needs], str),
        ("disk", [need.disk_bytes for need in needs], in_bytes),
        ("cores", [need.cores for need in needs], str),
    ):
        most = max((value for value in values if value is not None), default=None)
        if most is not None:
            parts.append(f"{word} {show(most)} each")
    return ", ".join(parts)


def _command(experiment: Experiment) -> str:
    argv = experiment.run.argv
    return argv[0] if experiment.run.shell else shlex.join(argv)
