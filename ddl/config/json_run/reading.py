"""From the words of a command to a checked config, or to all that is wrong with it."""

from __future__ import annotations

from collections.abc import Sequence

from ddl.config.json_run.checking.check import check
from ddl.config.json_run.checking.contradictions import find_contradictions
from ddl.config.json_run.checking.named_files import bad_network, missing_data
from ddl.config.json_run.checking.settings import Settings
from ddl.config.json_run.document import Document, read_document
from ddl.config.json_run.overrides import merge
from ddl.config.json_run.place import Problem


class BadConfig(ValueError):
    """A config is wrong. Each of its lines is for the user."""

    def __init__(self, lines: Sequence[str]) -> None:
        super().__init__(lines[0])
        self.lines = list(lines)


def read_settings(
    configs: Sequence[str], changes: Sequence[str] = (), app: str | None = None
) -> Settings:
    """Return the settings of a run.

    Args:
        configs: paths of configs; later ones win key by key.
        changes: texts of --set, which win over all of them.
        app: the value of --app.

    Raises:
        BadConfig: with a line for each problem.
    """
    documents = [read_document(config) for config in configs]
    lines = [line for document in documents for line in document.problems]
    if any(document.root is None for document in documents):
        raise BadConfig(lines)
    merged = merge(documents, changes)
    if not merged.is_whole:
        raise BadConfig([*lines, *map(str, merged.problems)])
    settings, problems = check(merged.root)
    problems = [*merged.problems, *problems]
    problems += find_contradictions(settings, app, {problem.path for problem in problems})
    if lines or problems:
        told = {problem.path for problem in problems}
        problems += missing_data(settings, told)
        if not lines:  # a text with errors may have lost a part of the network
            problems += bad_network(settings, told)
        raise BadConfig([*lines, *map(str, sorted(problems, key=_Order(documents)))])
    return settings


class _Order:
    """Sorts problems by file and place; those of flags come last."""

    def __init__(self, documents: Sequence[Document]) -> None:
        self._files = [document.file for document in documents]

    def __call__(self, problem: Problem) -> tuple[int, int, int]:
        place = problem.place
        known = place.file in self._files
        return (
            self._files.index(place.file) if known else len(self._files),
            place.line,
            place.column,
        )
