"""The page about data lists every format, augmentation and cache policy."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest

from ddl.data.batches.sample_cache import CACHES
from ddl.data.sources import FORMATS
from ddl.options import read_options

PAGE = (Path(__file__).parents[2] / "docs/data.md").read_text()
ROWS = {row.split("`")[1]: row for row in PAGE.splitlines() if row.startswith("| `")}


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_is_on_the_page_with_its_options(name: str) -> None:
    row = ROWS[name]
    options = [o for o in inspect.signature(FORMATS[name].open).parameters if o != "path"]
    if "the same" not in row:
        assert [option for option in options if f"`{option}`" not in row] == []


def shown(default: object) -> str:
    """Return the default of an option as the page writes it."""
    if isinstance(default, tuple):
        return ",".join(f"{number:.6g}" for number in default)
    return str(default).lower().removesuffix(".0")


def test_every_augmentation_is_on_the_page_with_its_default() -> None:
    table = PAGE.partition("## Augment")[2].partition("### Mix")[0]
    for name, option in read_options("ddl.data.batches.augmentation:Augmentation").items():
        (row,) = [row for row in table.splitlines() if re.match(rf"\| .*`{name}`.* \|", row)]
        assert row.split("|")[2].strip() == shown(option.default), name


def test_every_option_of_mixing_is_on_the_page_with_its_default() -> None:
    table = PAGE.partition("### Mix")[2].partition("## Feed")[0]
    for name, option in read_options("ddl.data.batches.mixing:Mixing").items():
        (row,) = [row for row in table.splitlines() if row.startswith(f"| `{name}`")]
        assert row.split("|")[2].strip() == shown(option.default), name


@pytest.mark.parametrize("policy", CACHES)
def test_every_cache_policy_is_on_the_page(policy: str) -> None:
    assert policy in ROWS
