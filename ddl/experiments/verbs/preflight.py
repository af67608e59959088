"""`preflight [SPEC|WHICH]`: whether experiments could start where they should. Nothing is queued."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from ddl.experiments.engine.nodes_file import nodes_of
from ddl.experiments.preflight.asking import LIMIT_S
from ddl.experiments.preflight.checks import NO, Check
from ddl.experiments.preflight.run import Checked, run_preflight, verdicts
from ddl.experiments.spec.expand import experiments_of
from ddl.experiments.spec.node import Nodes
from ddl.experiments.spec.records import Experiment
from ddl.experiments.spec.spec_file import read_spec
from ddl.experiments.spec.text.item import SpecError
from ddl.experiments.states import ENDED
from ddl.experiments.store.folder import StoreFolder, store_for
from ddl.experiments.store.view import ExperimentView, read_view
from ddl.experiments.store.which import select
from ddl.experiments.verbs.of_spec import tell_problems
from ddl.experiments.verbs.of_store import SOMETHING_FAILED, OfStore, find, is_spec, say, say_json
from ddl.flags import ARGUMENT
from ddl.plain_text import escaped

_NAMES_SHOWN = 4


@dataclass(frozen=True, kw_only=True)
class Settings(OfStore):
    """Check whether experiments could start where they should: memory, GPUs, cores, disk, time limit, command.

    SPEC is a spec's file, which need not be in a store yet; WHICH are names, numbers, globs or conditions, by default
    all experiments that have not ended. Nothing is queued and nothing is written. "later" means that it fits, but not
    beside what runs now; what a node does not tell is "unknown". Ends with status 3 where one can never start.

    Attributes:
        which: a spec's file, or which experiments
        dry_run: try ddl's own scripts with --dry-run on their nodes
        time_limit_s: a node that has not answered by then is left
    """

    which: tuple[str, ...] = field(default=(), kw_only=False, metadata=ARGUMENT)
    dry_run: bool = True
    time_limit_s: float = LIMIT_S


def run(settings: Settings) -> int:
    """Check, and tell."""
    if settings.time_limit_s <= 0:
        raise ValueError(
            f"Received: time_limit_s={settings.time_limit_s:g}. Expected: a positive number."
        )
    try:
        records, nodes, store = _chosen(settings)
    except SpecError as error:
        return tell_problems("preflight", error)
    found = list(run_preflight(records, nodes, store, settings.dry_run, settings.time_limit_s))
    homeless = [record for record in records if not nodes.of(record.node)]
    best = {**verdicts(found), **{record.name: NO for record in homeless}}
    if settings.json:
        say_json(_as_json(found, best))
    else:
        say([escaped(line) for line in _lines(found)])
        say([escaped(f"{each.name}: no node or group {each.node}") for each in homeless])
        say([_summary(best)])
    return SOMETHING_FAILED if NO in best.values() else 0


def _chosen(settings: Settings) -> tuple[list[Experiment], Nodes, StoreFolder]:
    words = settings.which
    if words and is_spec(words[0]):
        if len(words) > 1:
            raise ValueError(
                f"Received: {words[1]} beside a spec. Expected: a spec alone, or experiments of a store."
            )
        spec = read_spec(Path(words[0]))
        store = StoreFolder(store_for(settings.store, spec.store).absolute(), "00000000", spec.name)
        return experiments_of(spec), spec.nodes, store
    opened, words = find(settings, words)
    view = read_view(opened.path)
    chosen = select(view, words)
    if not words:
        chosen = [item for item in chosen if item.state not in ENDED]
    return [_placed(item) for item in chosen], nodes_of(opened)[0], opened


def _placed(item: ExperimentView) -> Experiment:
    """Return the record with the node that the user named last."""
    node = item.wanted.get("node")
    return replace(item.record, node=str(node)) if node else item.record


def _lines(found: Sequence[Checked]) -> Iterator[str]:
    """Yield a block for each node and each set of answers that experiments share."""
    groups: dict[tuple[str, tuple[Check, ...]], list[str]] = {}
    for each in found:
        groups.setdefault((each.node.name, each.checks), []).append(each.record.name)
    for (node, checks), names in groups.items():
        shown = ", ".join(names[:_NAMES_SHOWN])
        more = f" and {len(names) - _NAMES_SHOWN} more" if len(names) > _NAMES_SHOWN else ""
        yield f"{shown}{more} on {node}:"
        for check in checks:
            yield f"  {check.verdict:8} {check.what:10} {check.text}"


def _summary(best: Mapping[str, str]) -> str:
    counts = {verdict: list(best.values()).count(verdict) for verdict in best.values()}
    told = ", ".join(f"{count} {verdict}" for verdict, count in sorted(counts.items()))
    total = f"{len(best):,} experiment{'s' if len(best) != 1 else ''}"
    return f"{total}: {told}." if told else f"{total} to check."


def _as_json(found: Sequence[Checked], best: Mapping[str, str]) -> dict[str, Any]:
    return {
        "experiments": best,
        "checks": [
            {
                "name": each.record.name,
                "node": each.node.name,
                "verdict": each.verdict,
                "checks": [asdict(check) for check in each.checks],
            }
            for each in found
        ],
    }
