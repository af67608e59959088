"""Groups of samples: values, bins, tables. Pure."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ddl.inference.inspection.groups import (
    BINS,
    check_groups,
    group_names,
    grouped,
    looks,
    read_table,
    values_of,
)


def names(values: list[Any]) -> list[str]:
    """Return the names of the groups of values."""
    return [name for _, name in group_names(values)]


def test_texts_are_groups_of_their_own() -> None:
    assert names(["b", "a", "b", "", None]) == ["b", "a", "b", "unknown", "unknown"]


def test_few_numbers_are_groups_of_their_own_in_their_order() -> None:
    rows = [{"dice": 0.1 * n} for n in range(4)]
    found = grouped(["10", "9", "10", "nan"], rows, ["dice"])
    assert [line["group"] for line in found] == ["9", "10", "unknown"]
    assert found[1] == {"group": "10", "samples": 2, "dice": 0.1}


def test_many_numbers_are_cut_into_bins_of_as_many_samples() -> None:
    rows = [{"dice": n / 100} for n in range(100)]
    found = grouped(list(np.linspace(0, 1, 100)), rows, ["dice"])
    assert [line["samples"] for line in found] == [20] * BINS
    assert [line["dice"] for line in found] == sorted(line["dice"] for line in found)


@given(st.lists(st.one_of(st.none(), st.floats(), st.text(max_size=3)), min_size=1, max_size=60))
def test_each_sample_is_in_one_group(values: list[Any]) -> None:
    rows = [{"m": 1.0}] * len(values)
    found = grouped(values, rows, ["m"])
    assert sum(line["samples"] for line in found) == len(values)
    assert all(line["m"] == 1.0 for line in found)


def test_a_metric_that_samples_lack_is_left_out() -> None:
    assert grouped(["a"], [{}], ["dice"]) == [{"group": "a", "samples": 1}]


def test_a_column_of_names_is_refused() -> None:
    with pytest.raises(ValueError, match="300 groups for 300 samples"):
        grouped([f"p{n}" for n in range(300)], [{}] * 300, [])


def test_a_sample_has_what_it_looks_like() -> None:
    mask = np.array([[[1.0], [0.0]], [[255.0], [0.0]]])
    picture = np.full((2, 2, 1), 0.5)
    assert looks(picture, mask, "mask") == {"intensity": 0.5, "contrast": 0.0, "size": 0.5}
    assert looks(picture, mask, "mask", ignore_index=255)["size"] == pytest.approx(1 / 3, abs=1e-6)
    assert looks(picture, np.int64(1), "label", ("cat", "dog"))["class"] == "dog"
    assert looks(picture, np.int64(1), "label")["class"] == 1


def write(path: Path, text: str) -> Path:
    """Write a table."""
    path.write_text(text)
    return path


def test_a_table_finds_samples_by_name_file_stem_or_number(tmp_path: Path) -> None:
    table = read_table(
        write(tmp_path / "t.csv", "name,scanner\na/x.png,A\ny.png,B\nz,C\n3,D\n"), ["scanner"]
    )
    rows = [
        {"name": "a/x.png", "index": 0},
        {"name": "b/y.png", "index": 1},
        {"name": "c/z.tif", "index": 2},
        {"name": "w", "index": 3},
        {"name": "v", "index": 4},
    ]
    assert values_of("scanner", rows, table) == ["A", "B", "C", "D", ""]


def test_a_table_of_a_spreadsheet_is_read(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(b"\xef\xbb\xbfscanner , Image\r\nA, x.png\r\n,\r\n")
    assert read_table(path, ["scanner"]).rows == {"x.png": {"scanner": "A", "Image": "x.png"}}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "without rows"),
        ("name,scanner\n", "without rows"),
        ("name,scaner\nx,A\n", "by=scanner, which .* does not have. Did you mean 'scaner'"),
        ("name,scanner\nx\n", "line 2 has 1 cells. Expected: 2"),
        ("name,scanner\nx,A\nx,B\n", "names x twice"),
    ],
)
def test_a_bad_table_is_one_line(tmp_path: Path, text: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        check_groups(["scanner"], write(tmp_path / "t.csv", text))


def test_a_table_of_other_samples_is_refused(tmp_path: Path) -> None:
    table = read_table(write(tmp_path / "t.csv", "name,scanner\nx,A\n"), ["scanner"])
    with pytest.raises(ValueError, match=r"no scanner of any of the 1 samples.*as cat\.png"):
        values_of("scanner", [{"name": "cat.png", "index": 7}], table)


def test_unknown_columns_name_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"by=intensty\. Did you mean 'intensity'"):
        check_groups(["intensty"], None)
    with pytest.raises(ValueError, match=r"by_table=t\.csv without by"):
        check_groups([], Path("t.csv"))
