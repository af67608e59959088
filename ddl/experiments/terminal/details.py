"""All about one experiment, in parts with headings: what `show` prints."""

from __future__ import annotations

import itertools
import re
import shlex
import stat
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ddl import machine
from ddl.experiments.results import read_rows, result_names
from ddl.experiments.spec.records import Run
from ddl.experiments.store.attempts import AttemptView
from ddl.experiments.store.attempts import number as number_in
from ddl.experiments.store.code.freeze import folder_of
from ddl.experiments.store.findings import read_findings
from ddl.experiments.store.plain import attempt_json, experiment_json
from ddl.experiments.store.view import ExperimentView
from ddl.experiments.terminal.columns import Column, draw
from ddl.experiments.terminal.status_lines import epochs_text
from ddl.experiments.terminal.tail import last_lines
from ddl.experiments.terminal.words import age, number, painted, size, when
from ddl.plain_text import escaped
from ddl.progress import duration

_ANY = re.compile("")
_ROWS = 5
_FINDINGS = 20
_LOG_LINES = 10
_MOST_COUNTED = 20_000


def detail_lines(
    item: ExperimentView, now: float, width: int | None = None, *, coloured: bool = False
) -> Iterator[str]:
    """Yield everything that is known of an experiment, as lines."""
    yield _headline(item, now, coloured)
    if item.why:
        yield f"  {escaped(item.why)}"
    for title, part in (
        ("Settings", _settings(item)),
        ("Command", _command(item)),
        ("Code", _code(item)),
        ("Attempts", _attempts(item, width)),
        ("Findings", _findings(item)),
        ("Last epochs", _rows(item, width)),
        ("Files", _files(item)),
        (f"Last {_LOG_LINES} lines of output", _log(item)),
    ):
        lines = list(part)
        if lines:
            yield ""
            yield title
            yield from (f"  {line}" for line in lines)


def _headline(item: ExperimentView, now: float, coloured: bool) -> str:
    state = painted(item.state, item.state) if coloured else item.state
    since = f" for {age(now - item.since)} (since {when(item.since)})" if item.since else ""
    far = f", epoch {epochs_text(item)}" if item.epoch is not None else ""
    news = f", heard {age(item.seen_age_s)} ago" if item.seen_age_s is not None else ""
    return f"{escaped(item.name)}: {state}{since} on {escaped(item.node)}{far}{news}"


def _pairs(values: Mapping[str, object]) -> Iterator[str]:
    longest = max((len(escaped(name)) for name in values), default=0)
    for name, value in values.items():
        yield f"{escaped(name):{longest}}  {escaped(value)}"


def _settings(item: ExperimentView) -> Iterator[str]:
    yield from _pairs(
        {name: number(value) for name, value in item.record.parameters.items()}
        or {"none": "no parameters"}
    )


def _command(item: ExperimentView) -> Iterator[str]:
    record, run = item.record, item.record.run
    words = machine.command(run.argv)
    needs = {name: value for name, value in record.needs.to_json().items() if value is not None}
    environment = machine.settings(run.env, _ANY)
    priority = item.wanted["priority"]
    values = {
        "command": words[0] if run.shell else shlex.join(words),
        "folder": folder_of(item.folder.store, record),
        "ranks": run.ranks,
        "environment": " ".join(f"{name}={value}" for name, value in environment.items()),
        "needs": ", ".join(f"{name} {_need(name, value)}" for name, value in needs.items()),
        "node": item.wanted["node"] or record.node,
        "retries": record.retries,
        "priority": record.priority if priority is None else priority,
        "wanted": f"{item.wanted['want']} {_by(item.wanted)}".rstrip(),
        "rules": "; ".join(f"{rule.name}: {rule.text}" for rule in record.watch),
        "author": record.author,
        "subject": record.subject,
        "group": record.group,
        "added": when(record.added),
    }
    yield from _pairs({name: value for name, value in values.items() if value not in (None, "")})


def _without_secrets(run: Run) -> tuple[list[str], dict[str, str]]:
    """Return the words and the environment of a command, as they may be shown."""
    if run.shell:
        words = [" ".join(machine.command(line.split(" "))) for line in run.argv]
    else:
        words = machine.command(run.argv)
    return words, machine.settings(run.env, _ANY)


def _need(name: str, value: float) -> str:
    if name.endswith("_bytes"):
        return size(value)
    return duration(value) if name.endswith("_s") else str(value)


def _by(wanted: Mapping[str, Any]) -> str:
    by = f"by {wanted['by']} " if wanted.get("by") else ""
    return f"{by}since {when(number_in(wanted['since']))}" if wanted.get("since") else by


def _code(item: ExperimentView) -> Iterator[str]:
    code = item.record.code
    changed = f", with changes: code/{code.patch}" if code.patch else ", with changes"
    branch = f" ({code.branch})" if code.branch else ""
    commit = f"{code.commit}{branch}{changed if code.dirty else ''}" if code.commit else "none"
    frozen = f"frozen in code/{code.snapshot}" if code.snapshot else "live: as it is at the start"
    yield from _pairs({"from": code.source, "commit": commit, "copy": frozen})


def _attempts(item: ExperimentView, width: int | None) -> list[str]:
    columns = (
        Column("N", right=True),
        Column("NODE"),
        Column("REASON"),
        Column("INTENDED"),
        Column("STARTED"),
        Column("ENDED"),
        Column("OUTCOME"),
        Column("TIME", right=True),
        Column("MEMORY", right=True),
        Column("JOB"),
        Column("WHY", least=12),
    )
    rows = [_attempt(attempt) for attempt in item.attempts]
    return draw(columns, rows, None if width is None else width - 2) if rows else []


def _attempt(attempt: AttemptView) -> tuple[object, ...]:
    status = attempt.status
    seconds, memory = status.get("seconds"), status.get("peak_memory_bytes")
    return (
        attempt.number,
        attempt.node,
        attempt.intent.get("reason"),
        when(attempt.created),
        when(attempt.started),
        when(attempt.ended),
        attempt.outcome or ("asked to end" if attempt.stop else ""),
        duration(number_in(seconds)) if seconds is not None else "",
        size(number_in(memory)) if memory is not None else "",
        attempt.submitted.get("id"),
        status.get("why") or attempt.stop.get("why"),
    )


def _findings(item: ExperimentView) -> Iterator[str]:
    found = read_findings(item.attempts)
    if len(found) > _FINDINGS:
        yield f"... {len(found) - _FINDINGS} earlier ones"
    for finding in found[-_FINDINGS:]:
        yield finding_line(finding)


def finding_line(finding: Mapping[str, Any]) -> str:
    """Return a finding in one line: when, which rule, what, what was done.

    What a watch rule says names itself, its epoch and its actions already.
    """
    rule, text = str(finding.get("rule", "")), str(finding.get("text", ""))
    if not text.startswith(f"{rule} at epoch"):
        epoch = f"epoch {finding['epoch']}: " if finding.get("epoch") is not None else ""
        action = f" -> {finding['action']}" if finding.get("action") else ""
        text = f"{epoch}{rule}: {text}{action}"
    return escaped(f"{when(number_in(finding.get('time')))}, {text}")


def _rows(item: ExperimentView, width: int | None) -> list[str]:
    rows = read_rows(item.folder)[-_ROWS:]
    names = ["epoch", *result_names(rows)]
    columns = [Column(name, right=True, least=6) for name in names]
    texts = [[number(row.get(name)) for name in names] for row in rows]
    return draw(columns, texts, None if width is None else width - 2) if rows else []


def _files(item: ExperimentView) -> Iterator[str]:
    yield f"{size(folder_bytes(item.folder.path)):>8}  {escaped(item.folder.path)}"
    places = [item.folder.run_dir, item.folder.history]
    if item.attempts:
        newest = item.attempts[-1].folder
        places += [newest.out_log, newest.err_log]
    for path in places:
        if path.exists():
            yield f"{size(folder_bytes(path)):>8}  {escaped(path)}"


def folder_bytes(path: Path) -> int:
    """Return the size of a file, or of the files below a folder, at most 20,000 of them. Links are not followed."""
    return sum(
        _file_bytes(place)
        for place in itertools.islice(itertools.chain([path], path.rglob("*")), _MOST_COUNTED)
    )


def _file_bytes(path: Path) -> int:
    try:
        facts = path.lstat()
    except OSError:  # taken away meanwhile
        return 0
    return facts.st_size if stat.S_ISREG(facts.st_mode) else 0


def _log(item: ExperimentView) -> Iterator[str]:
    for attempt in reversed(item.attempts):
        lines = last_lines(attempt.folder.out_log, _LOG_LINES)[0]
        lines += last_lines(attempt.folder.err_log, _LOG_LINES)[0]
        lines = lines or [escaped(line) for line in attempt.status.get("tail") or ()]
        if lines:
            yield from lines[-2 * _LOG_LINES :]
            return


def detail_json(item: ExperimentView) -> dict[str, Any]:
    """Return everything that is known of an experiment as JSON values, but for the whole history: its last rows."""
    record = item.record.to_json()
    words, environment = _without_secrets(item.record.run)
    return {
        **experiment_json(item),
        "record": {**record, "run": {**record["run"], "argv": words, "env": environment}},
        "wanted": dict(item.wanted),
        "folder": str(folder_of(item.folder.store, item.record)),
        "attempts": [attempt_json(attempt) for attempt in item.attempts],
        "findings": read_findings(item.attempts),
        "rows": read_rows(item.folder)[-_ROWS:],
        "bytes": folder_bytes(item.folder.path),
        "tail": list(_log(item)),
        "time": time.time(),
    }
