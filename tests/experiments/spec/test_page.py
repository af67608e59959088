"""docs/experiments_spec.md says all of it, and its examples are read."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest

from ddl.experiments.spec.expand import experiments_of
from ddl.experiments.spec.fields import BLOCK_KEYS, FIELDS, TOP_KEYS
from ddl.experiments.spec.parameter.reader import FILLED, RUNTIME, SETS
from ddl.experiments.spec.read_nodes import FILE_KEYS, NODE_KEYS, read_nodes
from ddl.experiments.spec.spec_file import read_spec
from ddl.experiments.verbs import add, plan
from tests.pages import find_row, read_page

PAGE = read_page("experiments_spec.md")
EXAMPLES = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
HELPS = {name: field.help for name, field in FIELDS.items()}


@pytest.mark.parametrize("table", [HELPS, TOP_KEYS, BLOCK_KEYS, SETS, FILE_KEYS, NODE_KEYS])
def test_every_key_has_its_row(table):
    missing = [name for name, what in table.items() if f"| `{name}` | {what} |\n" not in PAGE]
    assert missing == []


def test_every_placeholder_has_its_row():
    assert all(find_row(PAGE, f"{{{name}}}") for name in RUNTIME + FILLED)


@pytest.mark.parametrize("settings", [plan.Settings, add.Settings])
def test_every_flag_has_its_row(settings):
    flags = [field.name for field in dataclasses.fields(settings) if field.kw_only]
    assert all(find_row(PAGE, f"--{name}") for name in flags)


@pytest.mark.parametrize("text", EXAMPLES, ids=range(len(EXAMPLES)))
def test_every_example_is_read(text: str, tmp_path: Path):
    path = tmp_path / ("s.yaml" if "command:" in text else "nodes.yaml")
    path.write_text(text)
    if path.name == "s.yaml":
        assert experiments_of(read_spec(path))
    else:
        (tmp_path / "s.yaml").write_text("command: x\n")
        assert read_nodes(tmp_path / "s.yaml").path == path
