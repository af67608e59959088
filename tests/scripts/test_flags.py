"""Every flag of every script has a help and stands on a page, with the default that it has."""

from __future__ import annotations

import argparse
import importlib
import re
from pathlib import Path

import pytest

from ddl.experiments.command import VERBS, verb_parser
from ddl.flags import BAD_INPUT
from ddl.training.train_command import AT_ONCE, DIVERGED, REQUEUE, UNSAVED
from tests.launch import REPOSITORY
from tests.pages import RUN_FILES, find_row, read_page
from tests.scripts.in_process import call

SCRIPTS = sorted(path.stem for path in (REPOSITORY / "scripts").glob("*.py"))
VERBS_SCRIPT = "experiments"
"""Its verbs have a parser each."""
TRAINING, _, EVALUATION = read_page("training.md").partition("## Evaluate\n")


def flags_of(script: str) -> dict[str, argparse.Action]:
    """Return a script's flags, but for --help; for a script with verbs, those of all of them."""
    if script == VERBS_SCRIPT:
        modules = {verb: importlib.import_module(f"ddl.experiments.verbs.{verb}") for verb in VERBS}
        parsers = [verb_parser(verb, module.Settings) for verb, module in modules.items()]
    else:
        parsers = [importlib.import_module(f"scripts.{script}").build_parser()]
    actions = [one for parser in parsers for one in parser._actions if one.dest != "help"]
    return {flag: action for action in actions for flag in action.option_strings}


def default_of(action: argparse.Action) -> str:
    """Return the default that a flag's help tells, "" where it tells none."""
    found = re.search(r"\(default: (.*)\)$", action.help or "")
    return found[1] if found else ""


@pytest.mark.parametrize("script", SCRIPTS)
def test_every_flag_has_a_help_and_stands_on_a_page(script: str) -> None:
    pages = "".join(page.read_text("utf-8") for page in Path(REPOSITORY, "docs").glob("*.md"))
    for flag, action in flags_of(script).items():
        assert re.match(r"[\w\"]", action.help or ""), f"{flag} has no help"
        assert f"`{flag}`" in pages, f"{flag} of {script}.py stands on no page of docs/"


def test_the_tables_of_the_training_scripts_have_their_defaults() -> None:
    scripts = ("train_unet", "train_cnn", "train_resnet")
    unet, cnn, resnet = (flags_of(script) for script in scripts)
    assert list(unet) == list(cnn) == list(resnet)
    for flag in unet:
        masks, labels, residual = (default_of(flags[flag]) for flags in (unet, cnn, resnet))
        expected = masks
        if labels != masks:
            expected += f"; train_cnn.py: {labels}"
        if residual != labels:
            expected += f"; train_resnet.py: {residual}"
        assert find_row(TRAINING, flag).split("|")[2].strip() == expected, flag


def test_the_table_of_the_evaluation_has_its_defaults() -> None:
    for flag, action in flags_of("evaluate").items():
        assert find_row(EVALUATION, flag).split("|")[2].strip() == default_of(action), flag


@pytest.mark.parametrize("page", [TRAINING, EVALUATION], ids=["training", "evaluation"])
def test_no_table_has_a_flag_that_is_gone(page: str) -> None:
    known = flags_of("evaluate" if page is EVALUATION else "train_unet")
    assert [
        flag for flag in re.findall(r"^\| `(--[\w-]+)`", page, re.MULTILINE) if flag not in known
    ] == []


def test_what_a_run_leaves_behind_and_how_it_ends_is_told() -> None:
    left = TRAINING.partition("## What a run leaves behind")[2].partition("## How a run ends")
    assert sorted(re.findall(r"^\| `([\w.]+)`", left[0], re.MULTILINE)) == RUN_FILES
    statuses = re.findall(r"^\| `(\d+)`", left[2], re.MULTILINE)
    assert statuses == [
        str(status) for status in (0, UNSAVED, BAD_INPUT, DIVERGED, REQUEUE, AT_ONCE)
    ]


def test_lists_of_numbers_are_called_numbers_in_the_help() -> None:
    shown = call("benchmark", "project", "--help").printed
    assert "--gbit [NUMBER ...]" in shown
    assert "--ranks [NUMBER ...]" in shown
