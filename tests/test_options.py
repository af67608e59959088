"""Options read from source, and texts read as options."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ddl.models.zoo import MODELS
from ddl.options import (
    REQUIRED,
    Option,
    convert_values,
    load,
    parse_options,
    parse_value,
    read_options,
    read_signature,
)

OPTIONS = {
    name: Option(name, kind, default, "")
    for name, kind, default in [
        ("width", "int | tuple[int, ...]", 16),
        ("depth", "int", 4),
        ("dropout", "float", 0.0),
        ("residual", "bool", False),
        ("norm", "str", "sync"),
        ("weights_file", "str | None", None),
        ("weights", "tuple[float, ...]", (1.0,)),
        ("layers", "tuple[str, ...] | None", None),
    ]
}


def parse(*texts: str) -> dict[str, object]:
    return parse_options(texts, OPTIONS, "model test")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("width=32", {"width": 32}),
        ("width=8,16,16", {"width": (8, 16, 16)}),
        ("depth = 3", {"depth": 3}),
        ("dropout=1e-1", {"dropout": 0.1}),
        ("residual=TRUE", {"residual": True}),
        ("residual=no", {"residual": False}),
        ("norm=none", {"norm": "none"}),
        ("weights-file=none", {"weights_file": None}),
        ("weights_file=a=b.h5", {"weights_file": "a=b.h5"}),
        ("weights=1,2.5", {"weights": (1.0, 2.5)}),
        ("layers=head, stem", {"layers": ("head", "stem")}),
        ("layers=none", {"layers": None}),
    ],
)
def test_a_text_becomes_a_value_of_the_type(text: str, expected: dict[str, object]) -> None:
    found = parse(text)
    assert found == expected
    assert [type(value) for value in found.values()] == [type(v) for v in expected.values()]


@given(st.dictionaries(st.sampled_from(["depth"]), st.integers()), st.booleans(), st.floats())
def test_what_is_written_is_read(numbers: dict[str, int], flag: bool, dropout: float) -> None:
    values: dict[str, object] = {**numbers, "residual": flag}
    assert parse(*(f"{name}={value}" for name, value in values.items())) == values
    assert repr(parse_value(repr(dropout), OPTIONS["dropout"])) == repr(dropout)


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (["width"], r"option 'width' of model test. Expected: NAME=VALUE"),
        (["height=3"], r"Received: 'height'. Expected: width, depth, dropout"),
        (["depth=3", "depth=4"], r"'depth' of model test twice"),
        (["depth=3.5"], r"depth='3.5'. Expected: a whole number"),
        (["width=8,"], r"width='8,'. Expected: a whole number, or several with commas"),
        (["dropout=much"], r"Expected: a number"),
        (["residual=2"], r"Expected: true or false"),
    ],
)
def test_what_cannot_be_read_is_refused(texts: list[str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse(*texts)


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("width", [8, 16], (8, 16)),
        ("width", np.int64(8), 8),
        ("dropout", 1, 1.0),
        ("dropout", np.float32(0.5), 0.5),
        ("residual", True, True),
        ("weights_file", None, None),
        ("weights", [1, 2.5], (1.0, 2.5)),
        ("layers", ["head"], ("head",)),
    ],
)
def test_a_value_of_python_or_json_gets_the_type(name: str, value: object, expected: Any) -> None:
    found = convert_values({name: value}, OPTIONS, "model test")
    assert found == {name: expected}
    assert type(found[name]) is type(expected)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("depth", 3.0, r"depth=3.0. Expected: a whole number."),
        ("depth", True, r"depth=True. Expected: a whole number."),
        ("depth", None, r"depth=None. Expected: a whole number."),
        ("residual", 1, r"Expected: true or false."),
        ("width", [8, "16"], r"Expected: a whole number, or a list of them."),
        ("norm", 3, r"Expected: a text."),
        ("layers", "head", r"Expected: a list of texts, or none."),
        ("height", 3, r"Unknown option of model test. Received: 'height'"),
    ],
)
def test_a_value_of_another_type_is_refused(name: str, value: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        convert_values({name: value}, OPTIONS, "model test")


@pytest.mark.parametrize("builder", sorted(set(MODELS.builders.values())))
def test_what_is_read_from_the_source_is_what_python_sees(builder: str) -> None:
    parameters = {
        name: (parameter.annotation, parameter.default)
        for name, parameter in inspect.signature(load(builder)).parameters.items()
        if parameter.kind is parameter.KEYWORD_ONLY
    }
    options = read_options(builder)
    assert {name: (o.type, o.default) for name, o in options.items()} == parameters
    for option in options.values():
        assert option.help, f"{builder} does not document {option.name}"
        if option.default not in (None, REQUIRED):
            text = str(option.default)
            assert parse_value(text, option) == option.default


def build_own(shape: Any, *, width=8, dropout=0.0, depth=None):  # type: ignore[no-untyped-def]
    """Take options, of which `depth` alone gets an annotation, below."""


build_own.__annotations__ = {"depth": int | None}  # as without `from __future__ import annotations`


def test_types_of_own_options_are_annotations_or_those_of_the_defaults() -> None:
    types = {name: option.type for name, option in read_signature(build_own).items()}
    assert types == {"width": "int", "dropout": "float", "depth": "int | None"}
