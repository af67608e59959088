"""Grids, lists side by side, whole settings, draws, tables: which settings they make."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import settings as trying
from hypothesis import strategies as st

from ddl.experiments.spec.parameter.draws import parse_draw
from ddl.experiments.spec.parameter.settings import Parameters, draw_settings
from tests.experiments.spec.written import problems_of, settings, written


def test_a_grid_is_a_product_whose_last_list_varies_fastest(tmp_path: Path):
    found = settings(tmp_path, "a: {grid: [1, 2]}\nb: {grid: [x, y]}\nc: 7")
    assert [(one["a"], one["b"], one["c"]) for one in found] == [
        (1, "x", 7),
        (1, "y", 7),
        (2, "x", 7),
        (2, "y", 7),
    ]


def test_a_plain_list_is_one_value(tmp_path: Path):
    assert settings(tmp_path, "a: [1, 2]\nb: {x: 1, y: [2, 3]}") == [
        {"a": [1, 2], "b": {"x": 1, "y": [2, 3]}}
    ]


@pytest.mark.parametrize(
    "text", ["zip: {a: [1, 2], b: [3, 4]}", "a: {zip: [1, 2]}\nb: {zip: [3, 4]}"]
)
def test_lists_go_side_by_side(tmp_path: Path, text: str):
    assert settings(tmp_path, text) == [{"a": 1, "b": 3}, {"a": 2, "b": 4}]


def test_several_zips_make_a_product(tmp_path: Path):
    found = settings(tmp_path, "zip: [{a: [1, 2], b: [3, 4]}, {c: [5, 6]}]")
    assert [tuple(one.values()) for one in found] == [(1, 3, 5), (1, 3, 6), (2, 4, 5), (2, 4, 6)]


def test_whole_settings_may_have_different_parameters(tmp_path: Path):
    found = settings(tmp_path, "list: [{o: sgd, m: 0.9}, {o: adam}]\ns: {grid: [0, 1]}")
    assert found == [
        {"o": "sgd", "m": 0.9, "s": 0},
        {"o": "sgd", "m": 0.9, "s": 1},
        {"o": "adam", "s": 0},
        {"o": "adam", "s": 1},
    ]


def test_excluded_settings_are_left_out(tmp_path: Path):
    found = settings(
        tmp_path,
        "a: {grid: [1, 2, 3]}\nb: {grid: [1, 2]}\nexclude: [{a: 1, b: 2}, {a: [2, 3], b: 1}]",
    )
    assert [tuple(one.values()) for one in found] == [(1, 1), (2, 2), (3, 2)]


def test_true_is_not_1_when_settings_are_excluded(tmp_path: Path):
    assert settings(tmp_path, "a: {grid: [1, true]}\nexclude: {a: 1}") == [{"a": True}]


def test_parameters_may_be_called_like_a_set(tmp_path: Path):
    assert settings(tmp_path, "values: {grid: 3, list: x}") == [{"grid": 3, "list": "x"}]


def test_a_table_is_a_list_of_settings(tmp_path: Path):
    (tmp_path / "rows.csv").write_text("a,b\n1,x\n2,\n")
    found = settings(tmp_path, "csv: rows.csv\ns: 0")
    assert found == [{"a": 1, "b": "x", "s": 0}, {"a": 2, "s": 0}]


def test_a_value_may_be_nothing(tmp_path: Path):
    assert settings(tmp_path, "a: {grid: [~, 1]}") == [{"a": None}, {"a": 1}]


def test_draws_are_the_same_every_time_and_stay_when_more_are_wanted(tmp_path: Path):
    few = settings(tmp_path, "random: {n: 5, lr: log 1e-5..1e-2, w: [16, 32]}")
    more = settings(tmp_path, "random: {n: 9, lr: log 1e-5..1e-2, w: [16, 32], d: int 1..9}")
    assert [(one["lr"], one["w"]) for one in few] == [(one["lr"], one["w"]) for one in more[:5]]
    assert few[0]["lr"] == 0.003549


def test_another_seed_gives_other_draws(tmp_path: Path):
    text = "command: x {flags}\nparameters: {random: {n: 3, a: 0..1}}\nseed: "
    assert (
        written(tmp_path, text + "0")[0].parameters != written(tmp_path, text + "1")[0].parameters
    )


RANGES = st.tuples(
    st.sampled_from(["log", "uniform", "int", "log int"]),
    st.integers(1, 10**6),
    st.integers(1, 10**6),
)


@trying(deadline=None)
@given(RANGES, st.floats(0, 1, exclude_max=True))
def test_a_draw_is_within_its_range(text, part):
    kind, low, width = text
    draw = parse_draw(f"{kind} {low}..{low + width}")
    value = draw.at(part)
    assert low <= value <= low + width
    assert isinstance(value, int) == ("int" in kind)


@trying(deadline=None)
@given(RANGES)
def test_both_ends_can_be_drawn_and_the_middle_is_by_the_kind(text):
    kind, low, width = text
    draw = parse_draw(f"{kind} {low}..{low + width}")
    assert draw.at(0.0) == pytest.approx(low, rel=1e-3)
    assert draw.at(math.nextafter(1, 0)) == pytest.approx(low + width, rel=1e-3)
    middle = math.sqrt(low * (low + width)) if "log" in kind else low + width / 2
    if "int" not in kind:
        assert draw.at(0.5) == pytest.approx(middle, rel=1e-3)


@trying(deadline=None)
@given(st.integers(1, 30), st.integers(0, 2**40))
def test_draws_differ_and_their_first_ones_do_not_depend_on_n(count, seed):
    draws = {"a": parse_draw("int 1..40"), "b": parse_draw("log 1e-5..1e-1")}
    found = draw_settings(draws, count, seed)
    assert len({repr(one) for one in found}) == count
    assert draw_settings(draws, count + 3, seed)[:count] == found


LISTS = st.lists(
    st.lists(st.integers(0, 99), min_size=1, max_size=4, unique=True), min_size=1, max_size=4
)


@trying(deadline=None)
@given(LISTS)
def test_the_number_of_settings_is_the_product_and_all_differ(lists):
    names = [f"p{number}" for number in range(len(lists))]
    grids = tuple(
        tuple({name: value} for value in values) for name, values in zip(names, lists, strict=True)
    )
    parameters = Parameters(lists=grids, places=dict.fromkeys(names))
    found = [*parameters.settings(0)]
    assert len(found) == parameters.size() == math.prod(map(len, lists))
    assert len({tuple(one.values()) for one in found}) == len(found)


def test_every_choice_is_drawn_where_all_are_wanted(tmp_path: Path):
    found = settings(tmp_path, "random: {n: 8, a: [1, 2, 3, 4], b: [x, y]}")
    assert len({tuple(one.values()) for one in found}) == 8


def test_too_many_experiments_are_refused_before_any_is_made(tmp_path: Path):
    lists = "".join(f"  p{n}: {{grid: [0,1,2,3,4,5,6,7,8,9]}}\n" for n in range(12))
    lines = problems_of(tmp_path, "command: x {flags}\nparameters:\n" + lists)
    assert len(lines) == 1
    assert "1,000,000,000,000 experiments. Expected: at most 100,000; shorter lists" in lines[0]
