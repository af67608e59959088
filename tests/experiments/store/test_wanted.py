"""What is wanted of an experiment: one small file, whole, with defaults where nothing is written."""

from __future__ import annotations

import json
import time

import pytest

from ddl.experiments.store.wanted import DEFAULTS, read_wanted, set_wanted
from tests.experiments.made_store import MadeStore


@pytest.fixture
def folder(tmp_path):
    """Return the folder of an experiment that nobody wants yet."""
    return MadeStore(tmp_path / "store").plain()


def test_nothing_is_wanted_at_first(folder):
    assert read_wanted(folder) == DEFAULTS
    assert not folder.wanted.exists()


def test_a_wish_is_written_with_its_time(folder):
    set_wanted(folder, want="run", by="ada")
    found = json.loads(folder.wanted.read_text())
    assert (found["want"], found["by"], found["first_attempt"]) == ("run", "ada", 1)
    assert abs(found["since"] - time.time()) < 60


def test_the_time_is_that_of_the_wish_and_not_of_its_details(folder):
    since = set_wanted(folder, want="run")["since"]
    assert set_wanted(folder, want="run", priority=5)["since"] == since
    assert set_wanted(folder, want="stop")["since"] > since


def test_the_same_wish_again_writes_nothing(folder):
    set_wanted(folder, want="run")
    before = folder.wanted.stat().st_ino
    set_wanted(folder, want="run")
    assert folder.wanted.stat().st_ino == before


@pytest.mark.parametrize("changes", [{"want": "fly"}, {"wish": "run"}])
def test_unknown_wishes_are_refused(folder, changes):
    with pytest.raises(ValueError, match="Expected: want, since"):
        set_wanted(folder, **changes)
    assert not folder.wanted.exists()


def test_a_damaged_file_is_nothing_wanted(folder):
    folder.wanted.write_text("{")
    assert read_wanted(folder) == DEFAULTS
