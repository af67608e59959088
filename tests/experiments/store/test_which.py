"""WHICH names experiments by name, number, glob, state and parameter; what names none is said with what is near."""

from __future__ import annotations

import pytest

from ddl.experiments.store.which import parameter_of, select, select_one
from tests.experiments.made_store import MadeStore


@pytest.fixture(scope="module")
def view(tmp_path_factory):
    """Return a view of six experiments: 2 rates x 3 widths."""
    made = MadeStore(tmp_path_factory.mktemp("which") / "store")
    states = iter(["failed", "running", "planned", "finished", "diverged", "running"])
    for rate in (0.1, 0.001):
        for width in (8, 16, 32):
            parameters = {"learning_rate": rate, "model.width": width, "augment": "flip=true"}
            group = "slow" if rate < 0.01 else "fast"
            made.experiment(next(states), parameters, group=group, label=f"lr{rate}-w{width}")
    return made.view()


def numbers(view, *words: str) -> list[int]:
    return [item.number for item in select(view, words)]


CASES = {
    "": [1, 2, 3, 4, 5, 6],
    "2": [2],
    "002": [2],
    "2-4": [2, 3, 4],
    "5-99": [5, 6],
    "lr0.1-w8": [1],
    "lr0.1-*": [1, 2, 3],
    "00[13]-*": [1, 3],
    "*w32": [3, 6],
    "1 *w32": [1, 3, 6],
    "state=failed": [1],
    "state=failed,diverged": [1, 5],
    "state=failed state=running": [1, 2, 6],
    "state=paused": [],
    "learning_rate=0.001": [4, 5, 6],
    "learning-rate=1e-3": [4, 5, 6],
    "lr=.001": [4, 5, 6],
    "width=16": [2, 5],
    "width=16.0": [2, 5],
    "width=16,8": [1, 2, 4, 5],
    "model.width=32": [3, 6],
    "augment=flip=true": [1, 2, 3, 4, 5, 6],
    "augment=flip*": [1, 2, 3, 4, 5, 6],
    "group=slow": [4, 5, 6],
    "group=s*": [4, 5, 6],
    "lr=0.1 width=32": [3],
    "lr=0.1 state=finished": [],
    "1-3 state=running": [2],
    "node=here": [1, 2, 3, 4, 5, 6],
}


@pytest.mark.parametrize("words", CASES)
def test_words_select(view, words):
    assert numbers(view, *words.split()) == CASES[words]


def test_a_whole_name_selects_one(view):
    name = view.experiments[3].name
    assert numbers(view, name) == [4]


BAD = {
    "lr0.1-w9": "which names no experiment. Expected: ",
    "77": "which names no experiment",
    "[": "which names no experiment",
    "state=faild": "Expected: failed",
    "state=": "Received: state=",
    "_rate=1": "Expected: state or learning_rate",
    "colour=red": "Expected: one of state, group, node, author, subject, spec, learning_rate",
    "lr=5": "which no experiment has. Expected: one of 0.1, 0.001",
    "group=none": "which no experiment has. Expected: one of fast, slow",
    "": "names no experiment",
    "=1": "Received: =1",
}


@pytest.mark.parametrize("word", BAD)
def test_what_names_none_is_said_with_what_is_near(view, word):
    with pytest.raises(ValueError, match=r"Received: .*Expected: ") as caught:
        select(view, [word])
    assert BAD[word] in str(caught.value)


def test_near_names_are_offered(view):
    with pytest.raises(ValueError, match=r"001-lr0\.1-w8"):
        select(view, ["001-lr0.1-w9"])


def test_an_empty_store_says_that_it_is_empty(tmp_path):
    view = MadeStore(tmp_path / "store").view()
    assert select(view, []) == []
    with pytest.raises(ValueError, match="this one has none yet"):
        select(view, ["3"])


def test_one_of_several_must_be_named(view):
    assert select_one(view, ["3"]).number == 3
    with pytest.raises(ValueError, match=r"which is 2 experiments\. Expected: one of 003-"):
        select_one(view, ["*w32"])
    with pytest.raises(ValueError, match="no name, which is 6 experiments"):
        select_one(view, [])


def test_a_parameter_may_be_shortened_only_where_one_is_meant():
    names = ["learning_rate", "layers", "model.width", "head.width"]
    assert parameter_of(names, "learning") == "learning_rate"
    assert parameter_of(names, "lr") == "learning_rate"
    assert parameter_of(names, "mo") == "model.width"
    assert parameter_of(names, "la") == "layers"
    assert parameter_of(["layers", "loss"], "lo") == "loss"
    assert parameter_of(["loss", "losses"], "l") is None
    assert parameter_of(names, "width") is None


def test_a_parameter_that_is_called_like_a_field_wins(tmp_path):
    made = MadeStore(tmp_path / "store")
    made.plain({"group": "a"}, group="b")
    assert [item.number for item in select(made.view(), ["group=a"])] == [1]
