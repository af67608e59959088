"""The diagnosis as a whole: its table, its remedies, its page, and whatever may stand in a history."""

from __future__ import annotations

import dataclasses
import math
import re
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

import ddl.experiments.diagnosis as room
from ddl.experiments.diagnosis.diagnose import CHECKS, EXPLAINS, diagnose
from ddl.training.plan.fields import PlanFields
from tests.experiments.diagnosis.made import PLAN, history, probe
from tests.pages import read_page

NAMES = ["epoch", "loss", "val_loss", "dice", "val_dice", "lr", "seconds"]
LETTERS = "".join(map(chr, range(0x250)))
"""Not all of Unicode: in a fresh clone Hypothesis would first have to make its tables, for seconds."""
NUMBERS = st.one_of(
    st.none(),
    st.floats(),
    st.sampled_from([0, 1, -3, 10**30, 10**400]),
    st.text(LETTERS, max_size=3),
    st.booleans(),
)


def test_what_is_explained_is_a_check() -> None:
    assert set(EXPLAINS) | {name for names in EXPLAINS.values() for name in names} <= set(CHECKS)


def test_remedies_are_flags_of_the_training_scripts() -> None:
    flags = {f"--{field.name.replace('_', '-')}" for field in dataclasses.fields(PlanFields)}
    sources = [path.read_text() for path in Path(room.__path__[0]).rglob("*.py")]
    named = {flag for text in sources for flag in re.findall(r'f?"(--[a-z-]+)', text)}
    assert "--learning-rate" in named
    assert named <= flags


def test_the_page_has_a_row_for_each_check_in_their_order() -> None:
    table = read_page("diagnosis.md").partition("## The checks")[2].partition("## How well")[0]
    rows = re.findall(r"^\| ([a-z0-9 -]+) \|", table, re.MULTILINE)
    told = [row for row in rows if row in CHECKS]
    assert sorted(told) == sorted(CHECKS)


@given(
    st.lists(st.dictionaries(st.sampled_from(NAMES), NUMBERS), max_size=16),
    st.booleans(),
)
def test_no_history_is_too_strange(rows: list[dict[str, Any]], is_ours: bool) -> None:
    for finding in diagnose(rows, [], [], {"plan": PLAN if is_ours else {}}):
        assert finding.to_json()["text"]


@given(st.lists(st.floats(), min_size=3, max_size=5), st.floats(), st.integers(1, 6))
def test_no_probe_is_too_strange(gradients: list[float], ratio: float, epochs: int) -> None:
    rows = history(loss=[1.0 / (n + 1) for n in range(epochs)])
    for finding in diagnose(rows, probe(gradients, ratio, epochs=epochs), [], {"plan": PLAN}):
        assert finding.to_json()["text"]


def test_numbers_that_are_not_finite_are_texts_in_json() -> None:
    [finding] = diagnose(
        history(loss=[math.inf]), [], [], {"plan": PLAN | {"learning_rate": 0.001}}
    )
    assert finding.to_json()["since_epoch"] == 1
