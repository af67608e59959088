"""Names say what differs; identities are the same for the same settings."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ddl.experiments.spec.identity import canonical, identity
from ddl.experiments.spec.names import labels, safe_text, short_keys, value_text
from tests.experiments.spec.written import written


def named(*settings: dict) -> list[str]:
    return labels(settings, [""] * len(settings), "alone")


def test_only_what_differs_is_named():
    assert named({"learning_rate": 1e-3, "w": 1}, {"learning_rate": 1e-4, "w": 1}) == [
        "lr0.001",
        "lr0.0001",
    ]


def test_where_nothing_differs_the_name_is_that_of_the_spec():
    assert named({"a": 1}) == ["alone"]


def test_options_are_named_by_their_own_names():
    assert named(
        {"model_option": ["width=16", "depth=3"]}, {"model_option": ["width=32", "depth=3"]}
    ) == [
        "w16",
        "w32",
    ]
    assert named({"m": {"width": 16}}, {"m": {"width": 32}}) == ["w16", "w32"]


def test_texts_are_parted_from_their_keys():
    assert named({"optimizer": "adam"}, {"optimizer": "sgd"}) == ["opt_adam", "opt_sgd"]
    assert named({"sync": True}, {"sync": False}) == ["syn_true", "syn_false"]


def test_a_name_of_two_letters_is_kept():
    assert named({"lr": 0.1}, {"lr": 0.01}) == ["lr0.1", "lr0.01"]
    assert named({"bn": True}, {"bn": False}) == ["bn_true", "bn_false"]


def test_keys_are_as_short_as_they_can_be_and_still_differ():
    assert short_keys([{"width": 1, "weight": 2, "depth": 3}]) == {
        "width": "wi",
        "weight": "we",
        "depth": "d",
    }
    assert short_keys([{"learning_rate": 1, "loss_rate": 2}]) == {
        "learning_rate": "lera",
        "loss_rate": "lora",
    }
    assert len(set(short_keys([{"a_b": 1, "a.b": 2, "ab": 3}]).values())) == 3


def test_a_parameter_that_only_some_have_is_named_where_it_is():
    assert named({"a": 1, "m": 9}, {"a": 2}) == ["a1-m9", "a2"]
    assert named({"a": 1, "m": 9}, {"a": 1}) == ["m9", "alone"]


def test_blocks_head_the_names_and_what_is_constant_in_one_is_not_named():
    found = labels([{"a": 1, "x": 5}, {"a": 2, "x": 5}, {"b": 1}], ["one", "one", "two"], "s")
    assert found == ["one-a1", "one-a2", "two"]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1e-5, "1e-5"),
        (1e22, "1e22"),
        (0.5, "0.5"),
        (2.0, "2"),
        (-3, "-3"),
        (None, "none"),
        (True, "true"),
        ("", "empty"),
        ("data/cells.h5", "cells"),
        ("a b/c d", "c_d"),
        ("é", "e"),
        ([1, 2], "1+2"),
        ([], "none"),
        ("..", "x"),
    ],
)
def test_values_in_names(value, text):
    assert value_text(value).startswith(text)


def test_long_values_and_labels_are_shortened_and_still_differ():
    found = named({"a": "x" * 200 + "1"}, {"a": "x" * 200 + "2"})
    assert len(set(found)) == 2
    assert all(len(label) < 40 for label in found)
    many = [{f"parameter_{n}": f"value{n}{one}" for n in range(40)} for one in "ab"]
    assert all(len(label) <= 80 for label in named(*many))


SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=12)
)
NAMES = st.from_regex(r"[A-Za-z_][A-Za-z0-9_.-]{0,12}", fullmatch=True)
SETTINGS = st.lists(
    st.dictionaries(NAMES, SCALARS | st.lists(SCALARS, max_size=3), max_size=4),
    min_size=1,
    max_size=6,
    unique_by=canonical,
)


@settings(deadline=None)
@given(SETTINGS)
def test_different_settings_have_different_names_that_every_file_system_takes(settings):
    found = named(*settings)
    assert len(set(found)) == len(settings)
    assert all(re.fullmatch(r"[A-Za-z0-9.+=_-]{1,80}", label) for label in found)


@settings(deadline=None)
@given(st.text(max_size=20))
def test_any_text_becomes_a_safe_part_of_a_name(text):
    assert re.fullmatch(r"[A-Za-z0-9.+=_-]+", safe_text(text))


@settings(deadline=None)
@given(st.dictionaries(NAMES, SCALARS, min_size=1, max_size=5))
def test_the_order_of_parameters_does_not_matter(setting):
    turned = dict(reversed(setting.items()))
    assert identity(setting, {"words": []}) == identity(turned, {"words": []})


@settings(deadline=None)
@given(st.integers(-(2**53) + 1, 2**53 - 1))
def test_a_whole_number_is_the_same_with_and_without_a_point(number):
    assert canonical({"a": [number]}) == canonical({"a": [float(number)]})


@settings(deadline=None)
@given(SCALARS, SCALARS)
def test_different_values_have_different_identities(one, other):
    same = canonical(one) == canonical(other)
    assert (identity({"a": one}, {}) == identity({"a": other}, {})) == same


def test_true_and_1_and_their_texts_are_four_things():
    assert len({canonical(value) for value in (True, 1, "1", "true")}) == 4
    assert canonical(-0.0) == canonical(0)


def test_the_identity_is_this_one_for_ever(tmp_path: Path):
    """Another would make every experiment of every store a new one."""
    experiment = written(tmp_path, "command: python x.py {flags}\nparameters: {a: 1.0, b: on}\n")[0]
    assert experiment.id == "95145f4aa584c19c"


def test_needs_rules_and_nodes_do_not_change_the_identity(tmp_path: Path):
    text = "command: python x.py {flags}\nparameters: {a: 1, b: {grid: [1, 2]}}\n"
    more = (
        text
        + "needs: {time: 4h}\nretries: 3\npriority: 5\nwatch: {w: loss > 3 -> stop}\nauthor: x\n"
    )
    assert [one.id for one in written(tmp_path, text)] == [
        one.id for one in written(tmp_path, more)
    ]


@pytest.mark.parametrize("change", ["code: live", "shell: true", "env: {A: x}", "folder: code"])
def test_what_runs_changes_the_identity(tmp_path: Path, change: str):
    (tmp_path / "code").mkdir()
    text = "command: python x.py {flags}\nparameters: {a: 1}\n"
    assert written(tmp_path, text)[0].id != written(tmp_path, f"{text}{change}\n")[0].id


def test_ranks_change_the_identity_where_the_command_names_them(tmp_path: Path):
    text = "command: mpirun -n {ranks} x {flags}\nparameters: {a: 1}\nranks: "
    assert written(tmp_path, text + "1")[0].id != written(tmp_path, text + "2")[0].id
    text = "command: x {flags}\nparameters: {a: 1}\nranks: "
    assert written(tmp_path, text + "1")[0].id == written(tmp_path, text + "2")[0].id
