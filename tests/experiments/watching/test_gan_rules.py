"""The history of a GAN has variables like any other: rules watch its scores, and know which way they are good."""

from __future__ import annotations

import json

import pytest

from ddl.experiments.watching.condition.directions import direction_of
from ddl.experiments.watching.rule_text import parse_rule
from ddl.experiments.watching.rules import Watch
from ddl.experiments.watching.variables import Reader
from ddl.training.optimization.monitor import better_is

START = 1_790_000_000.0
KIDS = (0.05, 0.01, 0.002, 0.0021, 0.0022)


@pytest.fixture
def rows(tmp_path):
    lines = [
        {"epoch": epoch, "generator_loss": 1.5, "discriminator_loss": -0.2, "val_kid": kid,
         "val_diversity": 0.9, "val_features": "random features"}
        for epoch, kid in enumerate(KIDS, 1)
    ]  # fmt: skip
    text = "".join(f"{json.dumps(line)}\n" for line in lines)
    (tmp_path / "history.jsonl").write_text(text)
    reader = Reader(
        (), [tmp_path], out_log=tmp_path / "o", err_log=tmp_path / "e", clock=lambda: START
    )
    return reader.poll()


def test_rules_fire_on_scores_as_on_any_variable(rows):
    rules = Watch(
        [
            parse_rule("good", "val_kid < 0.005 -> stop"),
            parse_rule("collapsed", "val_diversity < 0.3 -> stop"),
        ]
    )
    fired = [
        (firing.rule, firing.epoch)
        for count in range(1, len(rows) + 1)
        for firing in rules.evaluate(rows[:count], START + count, START, START + count)
    ]
    assert fired == [("good", 3)]


@pytest.mark.parametrize(
    "name", ["val_kid", "val_fid", "val_diversity", "val_near_duplicates", "val_ap", "val_ap50"]
)
def test_scores_are_good_the_same_way_in_runs_and_in_rules(name):
    assert {"max": "large", "min": "small"}[better_is(name)] == direction_of(name)
