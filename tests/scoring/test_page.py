"""docs/sql.md lists exactly the flags of both scripts, with their defaults, and every function."""

from __future__ import annotations

import re

import pytest

from ddl.scoring.deployment.functions import OUTER
from tests.pages import find_row, read_page
from tests.scripts.test_flags import default_of, flags_of

PAGE = read_page("sql.md")
DEPLOY, _, SCORE = PAGE.partition("`sql_score.py`, with")


@pytest.mark.parametrize(("script", "text"), [("sql_deploy", DEPLOY), ("sql_score", SCORE)])
def test_the_tables_have_every_flag_with_its_default(script: str, text: str) -> None:
    flags = flags_of(script)
    shared = {"--dsn", "--service"} if script == "sql_score" else set()
    for flag, action in flags.items():
        if flag not in shared:
            assert find_row(text, flag).split("|")[2].strip() == default_of(action), flag
    assert set(re.findall(r"^\| `(--[\w-]+)`", text, re.MULTILINE)) == set(flags) - shared


def test_the_page_documents_every_function() -> None:
    for function in OUTER:
        assert f"| `ddl.{function.name}(" in PAGE
