"""The JSON Schema takes good configs, and refuses what a schema can."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from ddl.config.json_run.printing import config_text
from ddl.config.json_run.schema import schema, schema_text
from tests.config.json_run import bad_configs
from tests.config.json_run.bad_configs import Row
from tests.config.json_run.good_configs import ALL, CLASSES, changed, settings_of
from tests.scripts.in_process import call

CHECKER = jsonschema.Draft202012Validator(schema())


def errors(text: str) -> list[Any]:
    return list(CHECKER.iter_errors(json.loads(text)))


def test_it_is_a_schema_and_what_the_command_prints() -> None:
    jsonschema.Draft202012Validator.check_schema(schema())
    outcome = call("run", "--print-schema")
    assert (outcome.status, outcome.printed, outcome.told) == (0, schema_text(), "")


@pytest.mark.parametrize("name", ALL)
def test_it_takes_good_configs_as_written_and_as_printed(here: Path, name: str) -> None:
    assert errors(ALL[name]) == []
    assert errors(config_text(settings_of(here, ALL[name]))) == []


def test_it_takes_layers_in_the_config() -> None:
    layers = [{"class_name": "Dense", "config": {"units": 2}}]
    assert errors(changed(CLASSES, layers=layers)) == []
    assert errors(changed(CLASSES, layers={"class_name": "Functional", "config": {}})) == []
    assert errors(changed(CLASSES, layers=[])) != []


NOT_SEEN = ("does not exist", "is no file", "increasing", "another type", "no key of this section")
"""What a schema cannot see."""


@pytest.mark.parametrize("row", [*bad_configs.KEYS, *bad_configs.VALUES], ids=lambda row: row.new)
def test_it_refuses_unknown_keys_and_bad_values(row: Row) -> None:
    text = row.config.replace(row.old, row.new, 1)
    if (
        "has no meaning for images" in row.line
        or "3.0" in row.new
        or "99999" in row.new
        or "u0000" in row.new
    ):
        return
    if not any(words in row.line for words in NOT_SEEN):
        assert errors(text) != [], row.line
