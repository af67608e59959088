"""What --print-config prints is a config that gives the same plan, and prints the same bytes again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ddl.config.json_run.printing import config_text, origin_lines
from ddl.config.json_run.translation.run import translate
from tests.config.json_run.good_configs import ALL, CLASSES, changed, settings_of


@pytest.mark.parametrize("name", ALL)
def test_it_gives_the_same_plan_and_the_same_bytes(here: Path, name: str) -> None:
    first = settings_of(here, ALL[name])
    printed = config_text(first)
    again = settings_of(here, printed, name="y.json")
    assert translate(again).fields == translate(first).fields
    assert config_text(again) == printed


def test_it_has_every_value_that_has_a_meaning(here: Path) -> None:
    printed = json.loads(config_text(settings_of(here, CLASSES)))["neural_network"]
    assert printed["optimizer"] == {
        "type": "SGD",
        "learning_rate": 0.1,
        "momentum": 0.9,
        "weight_decay": 0.0,
        "dampening": 0.0,
        "nesterov": False,
        "lr_scheduler": {"type": "Exponential", "gamma": 0.5},
    }
    assert printed["data"]["transforms"][1] == {"normalize": {"mean": 0.5, "std": 0.25}}
    assert printed["debug"] is False


def test_layers_in_the_config_itself_stay_there(here: Path) -> None:
    layers = [{"class_name": "Dense", "config": {"units": 2, "batch_input_shape": [None, 3]}}]
    first = settings_of(here, changed(CLASSES, layers=layers))
    assert json.loads(config_text(first))["neural_network"]["layers"] == layers
    second = settings_of(here, config_text(first), name="y.json")
    assert translate(second).fields == translate(first).fields


def test_it_says_where_each_value_came_from(here: Path) -> None:
    lines = list(origin_lines(settings_of(here, CLASSES, "data.batch_size=8")))
    assert "num_epochs = 3 (x.json:4)" in lines
    assert "data.batch_size = 8 (--set data.batch_size=8)" in lines
    assert lines[-1] == "all other values are defaults"
