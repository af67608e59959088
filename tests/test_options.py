"""Options read from source, and texts read as options."""

from __future__ import annotations

import inspect

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ddl.models.zoo import MODELS
from ddl.options import REQUIRED, Option, load, parse_options, parse_value, read_options

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


@pytest.mark.parametrize("builder", sorted({builder for builder, _ in MODELS.values()}))
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
