"""The examples of specs are read, and mean what the pages say."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ddl.experiments.spec.expand import experiments_of
from ddl.experiments.spec.spec_file import read_spec
from tests.launch import REPOSITORY
from tests.scripts.in_process import call

EXAMPLES = REPOSITORY / "examples/experiments"


@pytest.fixture
def cells():
    return experiments_of(read_spec(EXAMPLES / "cells.yaml"))


def test_the_example_has_twelve_names_that_say_what_differs(cells):
    names = [experiment.name for experiment in cells]
    assert len(names) == 12
    assert names[:3] == ["001-lr0.001-w16-s0", "002-lr0.001-w16-s1", "003-lr0.001-w32-s0"]
    assert names[-1] == "012-lr0.0001-w32-s1"


def test_a_script_of_ours_gets_its_flags_without_a_template(cells):
    argv = cells[-1].run.argv
    assert argv[:5] == ("horovodrun", "-np", "2", "python", "scripts/train_unet.py")
    flags = "--learning-rate 0.0001 --model-option width=32 --seed 1 --augment flip=true"
    assert " ".join(argv).endswith(f"{flags} --run-dir {{run_dir}} --resume auto")
    assert cells[-1].run.stop_signal == "USR1"


def test_a_priority_holds_for_the_experiments_that_it_names(cells):
    assert {one.priority for one in cells if one.parameters["learning_rate"] == 3e-4} == {10}
    assert {one.priority for one in cells if one.parameters["learning_rate"] != 3e-4} == {0}


def test_added_the_example_is_in_its_store_and_added_again_nothing_is_new(tmp_path: Path):
    store = tmp_path / "cells"
    (tmp_path / "code").mkdir()
    text = (EXAMPLES / "cells.yaml").read_text().replace("folder: ../..", "folder: code")
    (tmp_path / "cells.yaml").write_text(text)
    first = call("experiments", "add", tmp_path / "cells.yaml", "--store", store, "--json")
    assert first.status == 0, first.told
    assert len(json.loads(first.printed)["new"]) == 12
    assert len([*store.glob("0*/experiment.json")]) == 12
    again = call("experiments", "add", tmp_path / "cells.yaml", "--store", store, "--json")
    assert (json.loads(again.printed)["new"], len(json.loads(again.printed)["kept"])) == ([], 12)
