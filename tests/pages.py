"""What the pages in `docs/` say, for tests that they say all of it."""

from __future__ import annotations

from pathlib import Path

_DOCS = Path(__file__).resolve().parents[1] / "docs"

RUN_FILES = [
    *("checkpoints", "curves.png", "events", "facts.json", "history.csv", "history.jsonl"),
    *("log.txt", "model.keras", "model.txt", "plan.json", "preprocessing.json", "report.json"),
    "samples.png",
]
"""What a training run leaves in its directory, as docs/training.md lists it."""


def read_page(name: str) -> str:
    """Return the text of a page."""
    return (_DOCS / name).read_text(encoding="utf-8")


def find_row(page: str, name: str) -> str:
    """Return the line of a table that is about this name: its first cell holds it."""
    rows = (line for line in page.splitlines() if line.startswith("|"))
    return next(line for line in rows if f"`{name}`" in line.split("|")[1])
