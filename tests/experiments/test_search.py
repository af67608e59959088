"""A search that learns: optuna is asked again as trials end, from our own files."""

from __future__ import annotations

import json
import math
import statistics
from importlib.util import find_spec
from pathlib import Path
from unittest import mock

import pytest

from ddl.experiments.engine.sync import sync
from ddl.experiments.search import best_of, grow, grow_store
from ddl.experiments.spec.block import Search
from ddl.experiments.spec.node import Node, Nodes
from ddl.experiments.spec.parameter.asking import Told, ask
from ddl.experiments.spec.parameter.draws import choice, parse_draw
from ddl.experiments.store.store import open_store, set_wanted
from ddl.experiments.store.view import StoreView, read_view
from tests.scripts.in_process import call

DRAWS = {
    "lr": parse_draw("log 1e-5..1e-1"),
    "w": choice([16, 32, [64, 64]]),
    "k": parse_draw("int 1..8"),
}
TEXT = """\
command: x {flags}
parameters: {lr: {search: log 1e-5..1e-1}, seed: 3}
search: {n: 14, goal: max score, by: optuna}
"""

optuna = pytest.mark.skipif(
    find_spec("optuna") is None,
    reason="optuna is missing: pip install -r requirements-search.txt",
)


def goal(lr: float) -> float:
    """Return a score that is best at 1e-3."""
    return -abs(math.log10(lr) + 3)


def told(count: int) -> list[Told]:
    """Return trials drawn at random that have ended."""
    found = []
    for number in range(count):
        setting = {name: draw.value(0, name, number) for name, draw in DRAWS.items()}
        found.append(Told(parameters=setting, value=goal(setting["lr"]), ended=True))
    return found


@optuna
def test_the_same_trials_give_the_same_answer():
    one, other = (ask(DRAWS, told(12), 3, largest=True, seed=0) for _ in range(2))
    assert one == other
    assert len({repr(setting) for setting in one}) == 3


@optuna
def test_what_is_asked_lies_in_what_is_searched():
    for setting in ask(DRAWS, told(12), 8, largest=True, seed=1):
        assert 1e-5 <= setting["lr"] <= 1e-1
        assert setting["w"] in [16, 32, [64, 64]]
        assert setting["k"] in range(1, 9)


@optuna
def test_it_learns():
    """Of trials asked one by one, the later ones are nearer to the best than those by chance."""
    draws, trials = {"lr": DRAWS["lr"]}, told(10)
    for _ in range(20):
        (setting,) = ask(draws, trials, 1, largest=True, seed=0)
        trials.append(Told(parameters=setting, value=goal(setting["lr"]), ended=True))
    values = [trial.value or 0.0 for trial in trials]
    assert statistics.median(values[10:]) > statistics.median(values[:10]) + 0.4


@optuna
def test_trials_that_failed_that_run_and_that_lie_elsewhere_do_no_harm():
    odd = [
        Told(parameters={"lr": 1e-3, "w": 16, "k": 1}, value=None, ended=True),
        Told(parameters={"lr": 2e-3, "w": 16, "k": 1}, value=0.5, ended=False),
        Told(parameters={"lr": 3e-3, "w": 99, "k": 1}, value=0.5, ended=True),
        Told(parameters={"lr": 9.0, "w": 16, "k": 1}, value=0.5, ended=True),
        Told(parameters={"w": 16}, value=0.5, ended=True),
        Told(parameters={"lr": 4e-3, "w": 16, "k": 1}, value=math.inf, ended=True),
    ]
    assert len(ask(DRAWS, odd, 2, largest=False, seed=0)) == 2


@optuna
def test_where_all_was_tried_nothing_is_asked():
    draws = {"w": choice([1, 2])}
    trials = [Told(parameters={"w": value}, value=0.0, ended=True) for value in (1, 2)]
    assert ask(draws, trials, 1, largest=True, seed=0) == []


def test_without_optuna_one_line_says_what_to_do():
    with (
        mock.patch.dict("sys.modules", {"optuna": None}),
        pytest.raises(ValueError, match="which is not installed"),
    ):
        ask(DRAWS, [], 1, largest=True, seed=0)


@pytest.mark.parametrize(("largest", "best"), [(True, 0.7), (False, 0.2)])
def test_the_goal_is_the_best_value_of_all_epochs(largest: bool, best: float):
    rows = [{"score": 0.2}, {"score": 0.7}, {"score": math.nan}, {"loss": 9.0}, {"score": "x"}]
    assert best_of(rows, Search(n=1, largest=largest, goal="score")) == best
    assert best_of(rows, Search(n=1, largest=largest, goal="other")) is None


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """Return a store with the ten first trials of a search, all wanted."""
    (tmp_path / "s.yaml").write_text(TEXT)
    assert call("experiments", "add", tmp_path / "s.yaml").status == 0
    path = tmp_path / "experiments/s"
    for folder in open_store(path).folders():
        set_wanted(folder, want="run")
    return path


def end(store: Path, *numbers: int) -> None:
    """Let trials end with their score."""
    for experiment in read_view(store).experiments:
        if experiment.number in numbers:
            folder = experiment.folder
            attempt = folder.path / "attempts/1"
            (attempt / "claims/0000").mkdir(parents=True, exist_ok=True)
            (attempt / "intent.json").write_text('{"format": 1, "name": "a", "node": "here"}')
            status = {
                "format": 1,
                "outcome": "finished",
                "ended": 2.0,
                "started": 1.0,
                "returncode": 0,
            }
            (attempt / "status.json").write_text(json.dumps(status))
            row = {
                "epoch": 1,
                "time": 1.0,
                "attempt": 1,
                "score": goal(experiment.record.parameters["lr"]),
            }
            history = {"format": 1, "variables": ["score"], "rows": [row], "updated": 1.0}
            folder.history.write_text(json.dumps(history))


def names(view: StoreView) -> list[str]:
    return [experiment.name for experiment in view.experiments]


def test_nothing_is_asked_while_enough_trials_wait(store: Path):
    end(store, 1, 2)
    assert grow_store(read_view(store), Nodes()) == []


@optuna
def test_trials_come_as_others_end_until_there_are_n(store: Path):
    end(store, *range(1, 11))
    lines = grow_store(read_view(store), Nodes())
    view = read_view(store)
    assert [line.rpartition(": ")[2] for line in lines] == ["trial 11 of 14", "trial 12 of 14"]
    newest = view.experiments[-1]
    assert (newest.number, newest.wanted["want"]) == (12, "run")
    assert newest.record.search == {"trial": 12, "n": 14, "goal": "max score", "by": "optuna"}
    assert newest.record.parameters["seed"] == 3
    assert newest.record.run.argv[:2] == ("x", "--lr")
    assert grow_store(read_view(store), Nodes()) == []
    end(store, 11, 12)
    assert len(grow_store(read_view(store), Nodes())) == 2
    end(store, 13, 14)
    assert grow_store(read_view(store), Nodes()) == []
    assert len(read_view(store).experiments) == 14


@optuna
def test_more_slots_ask_for_more_trials(store: Path):
    end(store, *range(1, 11))
    nodes = Nodes(nodes={"here": Node(name="here", slots=3)})
    assert len(grow_store(read_view(store), nodes)) == 4


@optuna
def test_later_trials_run_the_code_of_the_first(store: Path, tmp_path: Path):
    end(store, *range(1, 11))
    (tmp_path / "new.py").write_text("edited")
    grow_store(read_view(store), Nodes())
    first, *_, newest = read_view(store).experiments
    assert (newest.record.code, newest.record.run.folder) == (
        first.record.code,
        first.record.run.folder,
    )


@optuna
def test_two_at_once_add_the_same_trials(store: Path):
    end(store, *range(1, 11))
    view = read_view(store)
    spec = store.parent.parent / "s.yaml"
    assert len([*grow(view, Nodes(), spec)]) == 2
    assert [*grow(view, Nodes(), spec)] == []
    assert len(read_view(store).experiments) == 12


@optuna
def test_a_trial_that_was_added_before_a_kill_is_wanted_at_the_next_call(store: Path):
    end(store, *range(1, 11))
    with (
        mock.patch("ddl.experiments.search.set_wanted", side_effect=KeyboardInterrupt),
        pytest.raises(KeyboardInterrupt),
    ):
        grow_store(read_view(store), Nodes())
    grow_store(read_view(store), Nodes())
    assert {one.wanted["want"] for one in read_view(store).experiments} == {"run"}


def test_a_search_that_was_stopped_does_not_grow(store: Path):
    end(store, *range(1, 11))
    set_wanted(read_view(store).experiments[-1].folder, want="stop")
    assert grow_store(read_view(store), Nodes()) == []


def test_a_spec_that_is_gone_is_told(store: Path):
    end(store, *range(1, 11))
    (store.parent.parent / "s.yaml").unlink()
    (line,) = grow_store(read_view(store), Nodes())
    assert line.startswith("The search does not go on. Received: ")


@optuna
def test_added_again_the_trials_of_a_search_are_not_vanished(store: Path):
    end(store, *range(1, 11))
    grow_store(read_view(store), Nodes())
    found = call("experiments", "plan", store.parent.parent / "s.yaml", "--json")
    assert json.loads(found.printed)["vanished"] == []
    again = call("experiments", "add", store.parent.parent / "s.yaml", "--json")
    assert json.loads(again.printed)["vanished"] == []


@optuna
def test_a_sync_that_finds_all_ended_adds_the_next_trials(store: Path):
    end(store, *range(1, 11))
    report = sync(store)
    assert [line for line in report.lines if "trial" in line] == [
        f"{name}: trial {number} of 14"
        for number, name in zip((11, 12), names(report.view)[10:], strict=True)
    ]
    assert {one.state for one in report.view.experiments[10:]} == {"queued"}
