"""What the readers of a spec's keys share: the spec's folder, the problems found, what a name is."""

from __future__ import annotations

import re
from pathlib import Path

from ddl.experiments.spec.text.item import Item, Problems
from ddl.experiments.spec.text.shape import misfit, text_of

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
"""Names that files, folders and jobs may have."""


class Context:
    """What a reader of a key needs besides the value."""

    def __init__(self, folder: Path, problems: Problems) -> None:
        """Relative paths are below `folder`, the spec's."""
        self.folder, self.problems = folder, problems


def name_of(item: Item) -> str:
    """Return a name."""
    text = text_of(item, "a name")
    if not NAME.fullmatch(text):
        raise misfit(item, "a name of letters, digits, . _ -, at most 64 characters")
    return text
