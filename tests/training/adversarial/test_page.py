"""docs/gan.md has every field of a GAN's plan with its default, and every score of a history."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path

from ddl.config.json_run.reading import read_settings
from ddl.training.adversarial.scores.diversity import LEAST_DIVERSITY
from ddl.training.plan.gan.fields import DEFAULTS, SCORES, AdversarialPlan
from tests.pages import read_page

PAGE = read_page("gan.md")
ROWS = re.findall(r"^\| (`--[^|]+) \|([^|]*)\|", PAGE, re.MULTILINE)


def test_every_field_stands_with_its_default() -> None:
    table = {
        name: default.strip()
        for names, default in ROWS
        for name in re.findall(r"`--([\w-]+)`", names)
    }
    for field in dataclasses.fields(AdversarialPlan):
        default = DEFAULTS.get(field.name, field.default)
        shown = f"{default:g}" if isinstance(default, float) else str(default)
        told = table[field.name.replace("_", "-")]
        is_empty = default in (None, dataclasses.MISSING)
        assert told == ("" if is_empty else shown.lower()), field.name


def test_every_score_is_told() -> None:
    assert [name for name in SCORES if f"| `val_{name}` |" not in PAGE] == []


def test_the_figures_of_a_collapse_are_those_of_the_rule() -> None:
    assert f"`val_diversity` is below {LEAST_DIVERSITY:g}" in PAGE


def test_the_config_has_no_mistake(tmp_path: Path, monkeypatch) -> None:
    (config,) = re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)
    assert json.loads(config)
    monkeypatch.chdir(tmp_path)
    for name in ("digits", "digits-test"):
        Path(name).mkdir()
    Path("gan.json").write_text(config)
    assert read_settings(["gan.json"], app="gan")["gan.latent_dim"] == 64
