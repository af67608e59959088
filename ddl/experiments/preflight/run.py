"""All checks of some experiments on the nodes that they may go to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from ddl.experiments.backends.backend import Backend
from ddl.experiments.engine.files.sending import folder_there, root_of
from ddl.experiments.preflight import probe
from ddl.experiments.preflight.asking import ask_each
from ddl.experiments.preflight.checks import OK, UNKNOWN, VERDICTS, Check, check_needs, worst
from ddl.experiments.preflight.probe import Site
from ddl.experiments.spec.node import Node, Nodes
from ddl.experiments.spec.records import Experiment
from ddl.experiments.store.folder import StoreFolder

_DRY_RUN_S = 30.0
"""Time for each trial of ddl's own scripts, on top of what a node has for everything else."""


@dataclass(frozen=True)
class Checked:
    """What was found out about one experiment on one node."""

    record: Experiment
    node: Node
    checks: tuple[Check, ...]

    @property
    def verdict(self) -> str:
        """The worst of its checks."""
        return worst(self.checks)


def run_preflight(
    records: Sequence[Experiment], nodes: Nodes, store: StoreFolder, dry_run: bool, limit_s: float
) -> Iterator[Checked]:
    """Yield an answer for each experiment and each node that it may go to.

    Args:
        records: The experiments.
        nodes: The nodes that they name.
        store: Their store, which need not exist yet.
        dry_run: Whether ddl's own scripts are tried with --dry-run.
        limit_s: A node that has not answered by then is unknown.
    """
    on: dict[str, list[Experiment]] = {}
    for record in records:
        for node in nodes.of(record.node):
            on.setdefault(node.name, []).append(record)

    def work(backend: Backend) -> list[Checked]:
        return list(_check_all(backend, on[backend.node.name], store, dry_run))

    own = max(
        (sum(bool(each.run.own) for each in each_node) for each_node in on.values()), default=0
    )
    limit_s += _DRY_RUN_S * own if dry_run else 0
    for answer in ask_each([nodes.nodes[name] for name in on], work, limit_s):
        if answer.value is not None:
            yield from answer.value
            continue
        problem = Check(UNKNOWN, "node", f"cannot be asked: {answer.problem}")
        for record in on[answer.node.name]:
            yield Checked(record, answer.node, (problem,))


def verdicts(found: Sequence[Checked]) -> Mapping[str, str]:
    """Return the verdict of each experiment: that of the best node it may go to."""
    best: dict[str, str] = {}
    for each in found:
        known = best.get(each.record.name, VERDICTS[0])
        best[each.record.name] = max(known, each.verdict, key=VERDICTS.index)
    return best


def _check_all(
    backend: Backend, records: Sequence[Experiment], store: StoreFolder, dry_run: bool
) -> Iterator[Checked]:
    """Yield the checks of a node's experiments. What is the same for several is asked once."""
    node = backend.node
    facts = backend.facts()
    root = root_of(node, store, backend.transport)
    asked: dict[object, list[Check]] = {}
    for record in records:
        is_sent = not node.shared and record.code.policy != "live"
        site = Site(folder=folder_there(record, root) or root, root=root, is_sent=is_sent)
        checks = [Check(OK, "node", f"answers: {facts.get('host') or node.name}")]
        checks += check_needs(record, node, facts)
        place = (site, record.run.shell or record.run.argv[0], record.run.setup)
        if place not in asked:
            asked[place] = probe.check_place(backend, record, site)
        needs = (record.needs, record.run.ranks)
        if needs not in asked:
            asked[needs] = probe.check_by_scheduler(backend, record)
        checks += [*asked[place], *asked[needs]]
        if dry_run:
            checks += probe.check_by_dry_run(backend, record, site)
        yield Checked(record, node, tuple(checks))
