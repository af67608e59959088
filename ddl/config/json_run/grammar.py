"""THE table: every key of a config. Checks, defaults, --print-config, the JSON Schema and docs/json.md come from it."""

from __future__ import annotations

from collections.abc import Iterator

from ddl.config.json_run.keys.key import Key, Section
from ddl.config.json_run.keys.run import ROOT

NETWORK = "neural_network"
"""The only top-level key."""


def sections(root: Section = ROOT) -> Iterator[Section]:
    """Yield a section and all sections in it, each once, from the outside in."""
    seen: list[Section] = []

    def walk(section: Section) -> None:
        if section not in seen:
            seen.append(section)
            for key in section.keys:
                if key.section is not None:
                    walk(key.section)

    walk(root)
    yield from seen


def find_key(path: str) -> Key:
    """Return the key at a path that the table has."""
    section, key = ROOT, None
    for name in path.split("."):
        key = section.find(name)
        if key is None:
            raise KeyError(path)
        section = key.section or section
    assert key is not None  # noqa: S101 (a path has a name)
    return key
