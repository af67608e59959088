"""What a report says about one experiment below its table: settings, results, findings, attempts, the log's end."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ddl import machine
from ddl.experiments.pages.markup import tag, text
from ddl.experiments.pages.rows import Row, short
from ddl.experiments.states import BAD
from ddl.experiments.store.attempts import AttemptView
from ddl.experiments.store.findings import read_findings
from ddl.experiments.store.view import ExperimentView
from ddl.experiments.terminal.tail import last_lines
from ddl.experiments.terminal.words import when
from ddl.plain_text import escaped

_MOST_FINDINGS = 20
_LOG_LINES = 15


def details_of(row: Row) -> str:
    """Return the part about an experiment. That of one that went wrong is open, with its log."""
    item = row.item
    is_bad = item.state in BAD
    summary = (
        tag("b", text(item.name))
        + tag("span", item.state, class_=f"state s-{item.state}")
        + (f" {text(item.why)}" if item.why else "")
    )
    parts = [
        tag("summary", summary),
        _pairs(_facts(item)),
        _section("Parameters", _pairs(item.record.parameters)),
        _section("Results", _results(row)),
        _section("Findings", _findings(item)),
        _section("Attempts", _attempts(item.attempts)),
        _section("End of the log", _log(item)) if is_bad else "",
    ]
    opened = " open" if is_bad else ""
    return f'<details id="e{item.number}"{opened}>{"".join(parts)}</details>'


def log_lines(item: ExperimentView, count: int) -> list[str]:
    """Return the last lines of an experiment's output, escaped; what the agent kept where the log is not here."""
    for attempt in reversed(item.attempts):
        lines = last_lines(attempt.folder.out_log, count)[0]
        lines += last_lines(attempt.folder.err_log, count)[0]
        lines = lines or [escaped(line) for line in attempt.status.get("tail") or ()]
        if lines:
            return lines[-2 * count :]
    return []


def command_of(item: ExperimentView) -> str:
    """Return an experiment's command without secrets."""
    words = machine.command(item.record.run.argv)
    return words[0] if item.record.run.shell and words else shlex.join(words)


def _facts(item: ExperimentView) -> dict[str, Any]:
    code = item.record.code
    commit = f"{code.commit}{' with changes' if code.dirty else ''}" if code.commit else ""
    return {
        "command": command_of(item),
        "commit": commit,
        "node": item.node,
        "since": when(item.since),
        "folder": item.folder.path,
    }


def _section(title: str, content: str) -> str:
    return tag("p", title, class_="faint") + content if content else ""


def _pairs(values: Mapping[str, Any]) -> str:
    pairs = [
        tag("dt", text(name)) + tag("dd", text(short(value) if name != "folder" else value))
        for name, value in values.items()
        if value not in ("", None)
    ]
    return tag("dl", "".join(pairs)) if pairs else ""


def _results(row: Row) -> str:
    lines = [
        (name, short(result.last), short(result.best), short(result.best_epoch))
        for name, result in row.results.items()
    ]
    return _small_table(("variable", "last", "best", "at epoch"), lines)


def _findings(item: ExperimentView) -> str:
    found = read_findings(item.attempts)[-_MOST_FINDINGS:]
    lines = [
        (
            when(float(finding.get("time") or 0)),
            short(finding.get("epoch")),
            finding.get("rule") or finding.get("check") or "",
            finding.get("text") or "",
            short(finding.get("action")),
        )
        for finding in found
    ]
    return _small_table(("when", "epoch", "rule", "what", "done"), lines)


def _attempts(attempts: Sequence[AttemptView]) -> str:
    lines = [
        (
            attempt.number,
            attempt.node,
            attempt.intent.get("reason") or "",
            when(attempt.started),
            when(attempt.ended),
            attempt.outcome,
            attempt.status.get("why") or "",
        )
        for attempt in attempts
    ]
    return _small_table(("attempt", "node", "reason", "started", "ended", "outcome", "why"), lines)


def _small_table(heads: Iterable[str], lines: Sequence[Sequence[object]]) -> str:
    if not lines:
        return ""
    head = tag("tr", "".join(tag("th", text(name)) for name in heads))
    body = "".join(tag("tr", "".join(tag("td", text(cell)) for cell in line)) for line in lines)
    return tag("div", tag("table", tag("thead", head) + tag("tbody", body)), class_="scroll")


def _log(item: ExperimentView) -> str:
    lines = log_lines(item, _LOG_LINES)
    return tag("pre", "\n".join(map(text, lines))) if lines else ""
