"""docs/json.md has the tables of the grammar, all flags, and configs that are read without a mistake."""

from __future__ import annotations

import json
import re
from pathlib import Path

from ddl.config.json_run.grammar import find_key, sections
from ddl.config.json_run.page import tables_of_keys
from ddl.config.json_run.reading import read_settings
from scripts.run import build_parser
from tests.pages import read_page


def test_the_page_has_the_tables_of_the_grammar() -> None:
    """After a change: python -c 'from ddl.config.json_run.page import *; print(tables_of_keys())'."""
    assert tables_of_keys().strip() in read_page("json.md")


def test_every_flag_is_documented() -> None:
    page = read_page("json.md")
    flags = [action.option_strings[-1] for action in build_parser()._actions]
    assert [flag for flag in flags if flag != "--help" and f"| `{flag}` |" not in page] == []


def test_every_key_says_what_it_means_and_has_a_place() -> None:
    keys = [(section, key) for section in sections() for key in section.keys]
    assert len(keys) > 90
    for section, key in keys:
        assert key.help
        assert not key.help.endswith(".")
        assert find_key(section.path_of(key.name)) is key


def test_the_example_has_no_mistake(here: Path) -> None:
    (config,) = re.findall(r"```json\n(.*?)```", read_page("json.md"), re.DOTALL)
    assert json.loads(config)
    for folder in ("faces/train", "faces/test"):
        (here / folder).mkdir(parents=True)
    (here / "network.json").write_text("[]")
    (here / "faces.json").write_text(config)
    assert read_settings(["faces.json"])["data.batch_size"] == 32
