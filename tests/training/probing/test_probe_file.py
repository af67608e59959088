"""`probe.jsonl` keeps whole lines, and those of the epochs before a resume."""

from __future__ import annotations

import logging
import math
from pathlib import Path

import pytest

from ddl.training.probing.probe_file import NAME, ProbeFile, read_probe


def row(epoch: int) -> dict[str, object]:
    """Return the row of an epoch."""
    return {"epoch": epoch, "layers": [{"name": "NaN", "gradient_norm": math.nan, "mean": 1 / 3}]}


def test_rows_come_back(tmp_path: Path) -> None:
    file = ProbeFile(tmp_path, 0)
    file.append(row(1))
    [found] = read_probe(tmp_path)
    assert found["layers"][0]["name"] == "NaN"  # a layer may be called that
    assert math.isnan(found["layers"][0]["gradient_norm"])
    assert found["layers"][0]["mean"] == pytest.approx(1 / 3, rel=1e-6)


def test_a_resume_cuts_the_file_back(tmp_path: Path) -> None:
    file = ProbeFile(tmp_path, 0)
    for epoch in (1, 2, 3):
        file.append(row(epoch))
    with (tmp_path / NAME).open("a") as torn:
        torn.write('{"epoch": 4, "lay')
    ProbeFile(tmp_path, 2).append(row(3))
    assert [found["epoch"] for found in read_probe(tmp_path)] == [1, 2, 3]


def test_a_new_run_begins_anew(tmp_path: Path) -> None:
    ProbeFile(tmp_path, 0).append(row(1))
    ProbeFile(tmp_path, 0)
    assert read_probe(tmp_path) == []


@pytest.mark.parametrize(
    "line",
    [
        "no JSON",
        "[]",
        '{"epoch": "1", "layers": []}',
        '{"epoch": 1}',
        '{"epoch": 1, "layers": [3]}',
    ],
)
def test_a_damaged_line_is_named(tmp_path: Path, line: str) -> None:
    (tmp_path / NAME).write_text(f"{line}\n")
    with pytest.raises(ValueError, match="line 1 is not an epoch of a probe"):
        read_probe(tmp_path)


def test_a_run_goes_on_with_a_damaged_file(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / NAME).write_text("no JSON\n")
    with caplog.at_level(logging.WARNING, "ddl"):
        ProbeFile(tmp_path, 3).append(row(4))
    assert [found["epoch"] for found in read_probe(tmp_path)] == [4]
    assert "line 1 is not an epoch" in caplog.text


def test_without_a_file_there_are_no_rows(tmp_path: Path) -> None:
    assert read_probe(tmp_path) == []
