"""`diagnose`: what is wrong with a training run, since when, how sure that is, and which flag helps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ddl.experiments.diagnosis.diagnose import CHECKS, diagnose
from ddl.experiments.diagnosis.evidence import (
    Evidence,
    evidence_of_experiment,
    evidence_of_run,
    is_run,
)
from ddl.experiments.diagnosis.finding import Finding
from ddl.experiments.store.view import read_view
from ddl.experiments.store.which import select
from ddl.experiments.verbs.of_store import OfStore, find, say, say_json


@dataclass(frozen=True, kw_only=True)
class Settings(OfStore):
    """Say what is wrong with training runs: named checks over history, probe, resources and profile.

    experiments.py diagnose runs/cells
    experiments.py diagnose state=diverged --json

    A run directory needs no store. With `--probe` in the training, it sees inside the layers, too. docs/diagnosis.md
    lists the checks. The exit status is 0, also with findings.

    Attributes:
        which: run directories, or experiments of the store by name, number, glob, state or parameter; without any, all
            experiments
        store: the store's folder; without it $DDL_STORE, the one around this folder, or the only one in ./experiments
        json: print one JSON document instead of text
    """

    which: tuple[str, ...] = field(default=(), kw_only=False, metadata={"argument": True})


def run(settings: Settings) -> int:
    """Print the findings of each run."""
    found = [
        (name, evidence, diagnose(*evidence))
        for name, evidence in _chosen(settings, settings.which)
    ]
    if settings.json:
        say_json([_as_json(*one) for one in found])
        return 0
    say([line for one in found for line in _lines(*one)])
    return 0


def _chosen(settings: Settings, words: Sequence[str]) -> list[tuple[str, Evidence]]:
    """Return what is known of the run directories and experiments that words name.

    Raises:
        ValueError: a word names neither, or a run's files are damaged.
    """
    chosen: list[tuple[str, Evidence]] = []
    names = []
    for word in words:
        if is_run(Path(word)):
            chosen.append((word, evidence_of_run(Path(word))))
        elif Path(word).is_dir():
            evidence_of_run(Path(word))  # says why it is none
        elif "/" in word:
            raise ValueError(
                f"Received: {word}, which does not exist. Expected: a run directory, or an experiment of a store."
            )
        else:
            names.append(word)
    if names or not words:
        store, rest = find(settings, names)
        view = read_view(store.path)
        chosen += [(item.name, evidence_of_experiment(item.folder)) for item in select(view, rest)]
    return chosen


def _as_json(name: str, evidence: Evidence, findings: Sequence[Finding]) -> dict[str, Any]:
    return {
        "name": name,
        "epochs": len(evidence.rows),
        "has_probe": bool(evidence.probe_rows),
        "has_resources": bool(evidence.resources),
        "findings": [finding.to_json() for finding in findings],
    }


def _lines(name: str, evidence: Evidence, findings: Sequence[Finding]) -> list[str]:
    epochs = len(evidence.rows)
    seen = [f"{epochs} epoch{'' if epochs == 1 else 's'}"]
    seen += ["layers"] if evidence.probe_rows else []
    seen += ["resources"] if evidence.resources else []
    seen += ["profile"] if evidence.facts.get("profile") else []
    head = f"{name} ({', '.join(seen)})"
    if not findings:
        blind = "" if evidence.probe_rows else " A training with --probe shows its layers, too."
        nothing = "nothing to look at yet" if not epochs and not evidence.facts.get("log") else ""
        return [f"{head}: {nothing or f'none of {len(CHECKS)} checks finds anything'}.{blind}"]
    lines = [f"{head}:"]
    for finding in findings:
        since = "" if finding.since is None else f", since epoch {finding.since}"
        lines.append(f"  {finding.check} ({finding.sureness}{since})")
        lines += [f"      {finding.text}", f"      Try: {finding.remedy}"]
    return lines
