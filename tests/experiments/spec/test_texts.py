"""YAML, JSON and tables become values that know their place."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from ddl.experiments.spec.text import yaml_strict
from ddl.experiments.spec.text.csv_rows import read_table
from ddl.experiments.spec.text.item import SpecError
from ddl.experiments.spec.text.reading import parse_document, read_document
from ddl.experiments.spec.text.scalars import read_scalar
from tests.experiments.spec.bad_specs import BAD
from tests.experiments.spec.written import plain
from tests.launch import REPOSITORY

EXAMPLES = REPOSITORY / "examples/experiments"

FINITE = st.floats(allow_nan=False, allow_infinity=False)
TEXTS = st.text(st.characters(exclude_categories=("Cs",)), max_size=20)
PRINTED = st.text(st.characters(min_codepoint=32, max_codepoint=0xD7FF, exclude_categories=("C",)))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**30), 10**30) | FINITE | TEXTS,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(TEXTS.filter(bool), inner, max_size=4)
    ),
    max_leaves=12,
)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", 0.001),
        ("1e3", 1000.0),
        ("3.", 3.0),
        (".5", 0.5),
        ("+7", 7),
        ("012", 12),
        ("0x1F", 31),
        ("0o17", 15),
        ("on", "on"),
        ("off", "off"),
        ("yes", "yes"),
        ("no", "no"),
        ("y", "y"),
        ("1:30", "1:30"),
        ("2026-01-02", "2026-01-02"),
        ("1_000", "1_000"),
        ("1e", "1e"),
        ("-", "-"),
        (".", "."),
        ("true", True),
        ("FALSE", False),
        ("tRue", "tRue"),
        ("~", None),
        ("null", None),
        ("", None),
        ("nan", "nan"),
        ("0b1", "0b1"),
        ("0x", "0x"),
        ("१", "१"),  # a digit of another script is no number
    ],
)
def test_scalars_are_those_of_yaml_1_2(text, value):
    found = read_scalar(text)
    assert (found, type(found)) == (value, type(value))


@settings(deadline=None)
@given(FINITE)
def test_a_number_written_by_python_is_read_back(number):
    assert read_scalar(repr(number)) == number


@settings(deadline=None)
@given(st.integers(-(10**200), 10**200))
def test_a_whole_number_is_read_back(number):
    found = read_scalar(str(number))
    assert (found, type(found)) == (number, int)


@settings(deadline=None)
@given(st.text(max_size=12))
def test_a_scalar_is_a_json_value_or_refused(text):
    try:
        value = read_scalar(text)
    except ValueError:
        return
    assert value is None or isinstance(value, (bool, int, str)) or math.isfinite(value)


@settings(deadline=None)
@given(VALUES)
def test_json_is_read_as_python_reads_it(value):
    text = json.dumps(value, ensure_ascii=False)
    assert plain(text, "s.json") == value
    assert plain(json.dumps(value, indent=1), "s.json") == value


@settings(deadline=None)
@given(st.text(max_size=30))
def test_any_text_is_json_for_us_only_if_it_is_for_python(text):
    try:
        found = plain(text, "s.json")
    except SpecError:
        return
    assert found == (json.loads(text) if text.strip() else None)


@settings(deadline=None)
@given(st.dictionaries(PRINTED.filter(bool), PRINTED | st.lists(FINITE) | st.booleans()))
def test_yaml_is_a_superset_of_json(value):
    assert plain(json.dumps(value, ensure_ascii=False)) == value


@settings(deadline=None)
@given(st.text(st.sampled_from("ab:-[]{}#&*!|>'\"%@` \n\t0.,?~\\ud8"), max_size=40))
def test_any_text_gets_a_value_or_lines_with_places(text):
    lines = _problems(text)
    assert all(line.startswith("s.yaml:") and "Expected: " in line for line in lines)


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.yaml")), ids=lambda path: path.name)
def test_the_slow_parser_of_yaml_reads_the_same(path: Path, monkeypatch: pytest.MonkeyPatch):
    fast = read_document(path)
    monkeypatch.setattr(yaml_strict, "_LOADER", yaml.SafeLoader)
    slow = read_document(path)
    assert (fast, fast.keys) == (slow, slow.keys)


def test_the_slow_parser_of_yaml_refuses_the_same(monkeypatch: pytest.MonkeyPatch):
    texts = [row.text for row in BAD if row.file == "s.yaml" and isinstance(row.text, str)]
    texts = [text for text in texts if len(text) < 10_000]
    fast = [_places(text) for text in texts]
    monkeypatch.setattr(yaml_strict, "_LOADER", yaml.SafeLoader)
    assert [_places(text) for text in texts] == fast


def _places(text: str) -> list[str]:
    return [line.partition(" ")[0] for line in _problems(text)]


def _problems(text: str) -> tuple[str, ...]:
    try:
        parse_document(text, Path("s.yaml"))
    except SpecError as error:
        return error.problems
    return ()


def test_values_and_keys_know_their_places():
    item = parse_document("a: 1\nb:\n  - x\n  -  c: 3\n", Path("s.yaml"))
    assert [str(place) for place in item.keys.values()] == ["s.yaml:1:1", "s.yaml:2:1"]
    inner = item.value["b"].value[1]
    assert (str(inner.keys["c"]), str(inner.value["c"].place)) == ("s.yaml:4:6", "s.yaml:4:9")


def test_anchors_are_followed():
    assert plain("a: &x {p: [1]}\nb: *x\n") == {"a": {"p": [1]}, "b": {"p": [1]}}


def test_quoted_and_folded_texts_stay_texts():
    text = "a: '1'\nb: \"on\"\nc: |\n  1\n  2\nd: >-\n  x\n  y\n"
    assert plain(text) == {"a": "1", "b": "on", "c": "1\n2\n", "d": "x y"}


def test_a_byte_order_mark_and_windows_line_ends_are_fine(tmp_path: Path):
    path = tmp_path / "s.yaml"
    path.write_bytes(b"\xef\xbb\xbfa: 1\r\nb: on\r\n")
    assert read_document(path).plain() == {"a": 1, "b": "on"}


def test_a_named_pipe_is_refused_without_waiting(tmp_path: Path):
    import os

    os.mkfifo(tmp_path / "s.yaml")
    with pytest.raises(SpecError, match="a named pipe"):
        read_document(tmp_path / "s.yaml")


def test_a_folder_is_refused(tmp_path: Path):
    (tmp_path / "s.yaml").mkdir()
    with pytest.raises(SpecError, match="Is a directory"):
        read_document(tmp_path / "s.yaml")


def test_a_table_has_typed_cells_and_an_empty_one_is_not_given(tmp_path: Path):
    path = tmp_path / "s.csv"
    path.write_text('# made by hand\n# command: x {flags}\n\na;b;c\n1e-3;"x;y";\n;on;2\n\n')
    keys, rows = read_table(path)
    assert keys.plain() == {"command": "x {flags}"}
    assert rows.plain() == [{"a": 0.001, "b": "x;y"}, {"b": "on", "c": 2}]
    assert str(rows.value[1].place) == f"{path}:6:1"


def test_a_cell_may_hold_a_line_end(tmp_path: Path):
    path = tmp_path / "s.csv"
    path.write_text('a,b\n"x\ny",1\nz,2\n')
    rows = read_table(path)[1]
    assert rows.plain() == [{"a": "x\ny", "b": 1}, {"a": "z", "b": 2}]
    assert rows.value[1].place.line == 4
