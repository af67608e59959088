"""`report`: writes one HTML file about a store. Reads the store only."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from ddl.experiments.report import report_html
from ddl.experiments.store.view import read_view
from ddl.experiments.store.which import select
from ddl.experiments.terminal.words import size
from ddl.experiments.verbs.of_store import OfStore, find, say, say_damaged, say_json
from ddl.files import check_file, write_whole
from ddl.flags import ARGUMENT
from ddl.plain_text import encodable, escaped


@dataclass(frozen=True, kw_only=True)
class Settings(OfStore):
    """Write a report: a table with a column for each parameter, curves, findings, the log's end of what went wrong.

    It is one HTML file that loads nothing and can be mailed. The store itself is only read.

        python scripts/experiments.py report --output cells.html
        python scripts/experiments.py report state=finished

    Attributes:
        which: names, numbers (3, 3-7), globs, state=STATE, PARAMETER=VALUE, group=NAME; or a spec's file; all without
        output: the file; an earlier one is replaced
    """

    which: tuple[str, ...] = field(default=(), kw_only=False, metadata=ARGUMENT)
    output: Path = Path("report.html")


def run(settings: Settings) -> int:
    """Write the report, and say where it is."""
    store, words = find(settings, settings.which)
    check_file("output", settings.output, (".html", ".htm"), replaces=True)
    view = read_view(store.path)
    chosen = select(view, words)
    text = encodable(report_html(view, chosen))
    write_whole(settings.output, lambda partial: partial.write_text(text, encoding="utf-8"))
    size_bytes = settings.output.stat().st_size
    if settings.json:
        path = os.path.abspath(settings.output)  # noqa: PTH100 (links stay)
        say_json({"path": path, "bytes": size_bytes, "experiments": len(chosen)})
        return 0
    say([f"Wrote {escaped(settings.output)}: {len(chosen)} experiments, {size(size_bytes)}."])
    say_damaged(view)
    return 0
