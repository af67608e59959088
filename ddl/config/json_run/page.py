"""The tables of docs/json.md: every key of a config, from the table of keys."""

from __future__ import annotations

import json
import re

from ddl.config.json_run.grammar import sections
from ddl.config.json_run.keys.key import EXPECTED, Key, Section

_ALL = ("SGD", "Adagrad", "Adam", "AdamW", "RMSprop", "LARS", "LAMB")


def tables_of_keys() -> str:
    """Return a heading and a table for each section, as Markdown."""
    lines: list[str] = []
    for section in sections():
        if section.keys:
            lines += [
                f"### `{section.path or 'neural_network'}`",
                "",
                f"{_sentence(section.help)}",
                "",
            ]
            lines += ["| Key | Value | Default | Meaning | Flag |", "|---|---|---|---|---|"]
            lines += [_row(key, section) for key in section.keys]
            lines.append("")
    return "\n".join(lines)


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."


def _row(key: Key, section: Section) -> str:
    name = ", ".join(f"`{spelling}`" for spelling in (key.name, *key.also))
    meaning = key.help + (f"; {key.idle}" if key.idle else "")
    if key.only and key.only != _ALL:
        meaning += f" (only {', '.join(key.only)})"
    cells = (name, _value(key), _default(key, section), meaning, _flag(key.to))
    return f"| {' | '.join(cells)} |"


def _value(key: Key) -> str:
    if key.choices:
        return ", ".join(f"`{choice}`" for choice in key.choices)
    if key.section is not None and key.kind != "layers":
        return f"[{EXPECTED[key.kind].partition(',')[0]}](#{_anchor(key.section.path)})"
    return key.expected


def _anchor(path: str) -> str:
    return re.sub(r"[^a-z_]", "", path)


def _default(key: Key, section: Section) -> str:
    if key.default is not None:
        return f"`{json.dumps(key.default)}`"
    return "needed" if key.needed else ""


def _flag(text: str) -> str:
    if not text.startswith("-") and "=" not in text:
        return text
    return f"`{text}`"
