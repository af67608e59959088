"""The parser of tf.train.Example reads what it knows and refuses all else; it never reads past the end."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ddl.data.sources.records.example import parse_example
from tests.data.sources.records.record_files import example, field


def parsed(data: bytes, *wanted: str) -> dict[str, object]:
    found = parse_example(memoryview(data), wanted or None)
    return {name: _plain(values) for name, values in found.items()}


def _plain(values: object) -> object:
    assert values is None or isinstance(values, list)
    return values and [value if isinstance(value, int) else bytes(value) for value in values]


@pytest.mark.parametrize("packed", [True, False])
def test_texts_and_integers_are_read(packed: bool) -> None:
    data = example(packed, a=b"text", b=[1, -2, 1 << 40], c=0.5)
    assert parsed(data) == {"a": [b"text"], "b": [1, -2, 1 << 40], "c": None}
    assert parsed(data, "b") == {"b": [1, -2, 1 << 40]}


def test_unknown_fields_are_passed_over() -> None:
    fixed = bytes([9 << 3 | 1, *range(8), 10 << 3 | 5, *range(4)])
    assert parsed(field(7, b"more") + fixed + example(a=3)) == {"a": [3]}


BAD = {
    "cut short": (example(a=b"text")[:-2], "a field of 15 bytes where 13 are left"),
    "a group": (bytes([1 << 3 | 3]), "a field of the unknown kind 3"),
    "a number for a message": (field(1, 5), "a number in the place of a message"),
    "a number too long": (b"\x08" + b"\xff" * 10 + b"\1", "an integer of more than 64 bits"),
    "a number cut short": (b"\x08\xff", "an integer that is cut short"),
    "a length beyond all": (
        b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\x7f",
        "a field of 9223372036854",
    ),
    "too many features": (field(1, field(1, b"") * 10_001), "more than 10000 features"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_is_no_example_is_refused(case: str) -> None:
    data, message = BAD[case]
    with pytest.raises(ValueError, match=message):
        parsed(data)


@given(st.binary(max_size=200))
def test_any_bytes_give_features_or_an_error(data: bytes) -> None:
    with contextlib.suppress(ValueError):
        assert isinstance(parsed(data), dict)
