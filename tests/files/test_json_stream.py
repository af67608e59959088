"""A JSON file is read element by element: the values of `json.loads`, in little memory, with lines."""

from __future__ import annotations

import json
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ddl.files import json_stream
from ddl.files.json_stream import json_elements

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**20), 10**20)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
DOCUMENTS = st.dictionaries(st.text(), VALUES, max_size=5)


def collected(path: Path) -> dict[str, Any]:
    """Return the document: arrays of their elements, and other values. Empty arrays have no element."""
    found: dict[str, list[Any]] = {}
    for key, value, _ in json_elements(path):
        found.setdefault(key, []).append(value)
    return found


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    document=DOCUMENTS,
    block=st.integers(1, 40) | st.just(1 << 20),
    indent=st.none() | st.integers(0, 2),
    plain=st.booleans(),
)
def test_the_elements_are_those_of_the_document(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    document: dict[str, Any],
    block: int,
    indent: int | None,
    plain: bool,
) -> None:
    monkeypatch.setattr(json_stream, "_BLOCK", block)
    text = json.dumps(document, indent=indent, ensure_ascii=plain)
    try:
        (tmp_path / "a.json").write_text(text, "utf-8")
    except UnicodeEncodeError:  # half of a character, which UTF-8 cannot express
        return
    wanted = {
        key: value if isinstance(value, list) else [value]
        for key, value in document.items()
        if value != []
    }
    assert collected(tmp_path / "a.json") == wanted


def test_each_element_knows_its_line(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('{\n"a": [\n1,\n\n{"b":\n2}\n],\n"c": 3}\n')
    assert [*json_elements(tmp_path / "a.json")] == [("a", 1, 3), ("a", {"b": 2}, 5), ("c", 3, 8)]


def test_a_large_file_takes_little_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_stream, "_BLOCK", 1 << 15)
    element = json.dumps({"values": list(range(300))})
    with (tmp_path / "a.json").open("w") as file:
        file.write(f'{{"a": [{element}')
        for _ in range(2_000):
            file.write(f", {element}")
        file.write("]}")
    size = (tmp_path / "a.json").stat().st_size
    assert size > 2 << 20
    tracemalloc.start()
    count = sum(1 for _ in json_elements(tmp_path / "a.json"))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert count == 2_001
    assert peak < 1 << 20


BAD = {
    "[1]": "line 1, with '[1]'. Expected: {",
    '{"a" 1}': "line 1, with '1}'. Expected: :",
    '{"a": 1,}': "Expected: JSON (Expecting value)",
    '{"a": [1 2]}': "with '2]}'. Expected: , or ]",
    '{"a": [1,\n': "line 2, with the end of the file",
    '{"a": 1} x': "with 'x'. Expected: the end of the file",
    "{1: 1}": "Expected: a key in quotes",
    '{"a": [NaN]}': "Expected: finite numbers, not NaN",
    '{"a": "\n"}': "Expected: JSON (Invalid control character at)",
    "": "with the end of the file. Expected: {",
}


@pytest.mark.parametrize("text", BAD)
def test_what_is_no_json_is_refused_with_its_line(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(ValueError, match=r"^Received: .*a\.json") as raised:
        collected(tmp_path / "a.json")
    assert BAD[text] in str(raised.value)


def test_other_encodings_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(b'{"a": "\xff"}')
    with pytest.raises(ValueError, match="which is not UTF-8 after line 1"):
        collected(tmp_path / "a.json")
