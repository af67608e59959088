"""The words of a mail: fields from an event and its experiment, and our own text around them."""

from __future__ import annotations

import shlex
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ddl.experiments.notify.events import KINDS, Event
from ddl.experiments.notify.templates import FIELDS, Template
from ddl.experiments.pages.page_details import command_of
from ddl.experiments.pages.rows import results_of
from ddl.experiments.results import read_rows
from ddl.experiments.store.findings import read_findings
from ddl.experiments.terminal.details import finding_line
from ddl.plain_text import escaped

_MOST_SUBJECT = 160
_MOST_LINE = 500
_MOST_RESULTS = 60
_MOST_FINDINGS = 20
_TAIL_KINDS = frozenset({"failed", "diverged", "refused", "lost"})


@dataclass(frozen=True)
class Letter:
    """A mail's words."""

    subject: str
    body: str


def write_letter(fields: Mapping[str, str], event: Event, template: Template | None) -> Letter:
    """Return the mail about an event, in the user's own words or in ours."""
    own = template.subject(fields) if template else None
    who = fields["experiment"] or (f"node {fields['node']}" if fields["node"] else "")
    subject = own or f"[ddl {fields['spec']}] " + (
        fields["text"]
        if event.kind == "digest"
        else f"{who} {fields['what']}" + (f": {fields['text']}" if fields["text"] else "")
    )
    body = template.body(fields) if template else _own_body(fields, event, who)
    return Letter(_line(subject, _MOST_SUBJECT), body.rstrip("\n") + "\n")


def fields_of(event: Event, view: Any, experiment: Any | None) -> dict[str, str]:
    """Return the template's fields. What is not known is an empty text."""
    details = event.details
    values = {
        "id": event.id,
        "kind": event.kind,
        "what": KINDS[event.kind],
        "text": event.text,
        "time": time.strftime("%Y-%m-%d %H:%M:%S %z", time.localtime(event.time)),
        "experiment": event.experiment,
        "spec": view.store.name,
        "store": view.store.path,
        "node": details.get("node") or "",
    }
    fields = dict.fromkeys(FIELDS, "") | {key: _line(text) for key, text in values.items()}
    if event.kind == "digest":
        lines = details.get("lines")
        fields["results"] = "\n".join(map(_line, lines)) if isinstance(lines, list) else ""
    fields["remedy"] = _command(view, "status")
    return fields | (_of_experiment(view, experiment, event) if experiment else {})


def _of_experiment(view: Any, experiment: Any, event: Event) -> dict[str, str]:
    record = experiment.record
    attempt = experiment.attempts[-1] if experiment.attempts else None
    status = (attempt.status if attempt else None) or {}
    epochs = [str(count) for count in (experiment.epoch, experiment.epochs) if count is not None]
    lines = {
        "number": record.number,
        "author": record.author,
        "subject": record.subject,
        "group": record.group,
        "state": experiment.state,
        "why": experiment.why or event.text,
        "node": experiment.node or event.details.get("node") or "",
        "attempt": attempt.folder.number if attempt else "",
        "epochs": " of ".join(epochs),
        "command": command_of(experiment),
        "remedy": _command(view, "show", record.name),
    }
    tail = status.get("tail")
    return {key: _line(value) for key, value in lines.items()} | {
        "parameters": _table(record.parameters.items()),
        "results": _results(read_rows(experiment.folder)),
        "findings": _findings(experiment),
        "tail": "\n".join(map(_line, tail)) if isinstance(tail, list) else "",
    }


def _own_body(fields: Mapping[str, str], event: Event, who: str) -> str:
    if event.kind == "digest":
        return f"{fields['text']}\n\n{_indented(fields['results'])}\n\n{fields['remedy']}\n"
    why = fields["why"] if fields["why"] != fields["text"] else ""
    facts = [
        ("what", fields["text"]),
        ("why", why),
        ("when", fields["time"]),
        (
            "where",
            fields["node"] + (f" (attempt {fields['attempt']})" if fields["attempt"] else ""),
        ),
        ("epochs", fields["epochs"]),
        ("author", fields["author"]),
        ("about", fields["subject"]),
        ("store", fields["store"]),
    ]
    parts = [f"{who} {fields['what']}.", _table((name, text) for name, text in facts if text)]
    sections = [("Results", "results"), ("Parameters", "parameters"), ("Watch rules", "findings")]
    if event.kind in _TAIL_KINDS:
        sections.insert(0, ("Last lines of the log", "tail"))
    parts += [f"{title}\n{_indented(fields[name])}" for title, name in sections if fields[name]]
    return "\n\n".join([*parts, f"More: {fields['remedy']}"]) + "\n"


def _results(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return the last and the best value of each variable. Validation and test stand first: training was for them."""
    ordered = sorted(
        results_of(rows).items(), key=lambda pair: not pair[0].startswith(("val", "test_"))
    )
    lines = []
    for name, result in ordered[:_MOST_RESULTS]:
        is_best = result.best is None or result.best == result.last
        best = "" if is_best else f" (best {_short(result.best)} at epoch {result.best_epoch})"
        lines.append((name, f"{_short(result.last)}{best}"))
    return _table(lines)


def _findings(experiment: Any) -> str:
    found = read_findings(experiment.attempts)[-_MOST_FINDINGS:]
    return "\n".join(finding_line(finding) for finding in found)


def _table(rows: Any) -> str:
    pairs = [(_line(name), _line(_short(value))) for name, value in rows]
    width = max((len(name) for name, _ in pairs), default=0)
    return "\n".join(f"{name:{width}}  {value}".rstrip() for name, value in pairs)


def _indented(text: str) -> str:
    return "\n".join(f"  {line}" for line in text.splitlines())


def _command(view: Any, *words: str) -> str:
    command = ["python", "scripts/experiments.py", *words, "--store", str(view.store.path)]
    return _line(shlex.join(command))


def _short(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _line(text: object, most: int = _MOST_LINE) -> str:
    line = escaped(text)
    return line if len(line) <= most else line[: most - 3] + "..."
