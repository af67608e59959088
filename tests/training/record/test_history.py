"""The history is read back as it was written, whatever happened to its writer."""

from __future__ import annotations

import csv
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ddl.training.record.history import append_epoch, read_history, write_history

FILES = ("history.jsonl", "history.csv")
VALUES = st.floats() | st.lists(st.floats(), max_size=3)
NAMES = ["loss", "dice", "val_loss", "a,b", 'a "q"']
EPOCHS = st.lists(st.dictionaries(st.sampled_from(NAMES), VALUES))


def epoch(number: int, **more: Any) -> dict[str, Any]:
    return {"epoch": number, "seconds": 0.5, "loss": 1 / number, **more}


def texts(run_dir: Path) -> list[str]:
    return [(run_dir / name).read_text() for name in FILES]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(epochs=EPOCHS, kept=st.integers(0, 5))
def test_appended_or_written_whole_the_files_are_the_same(
    tmp_path: Path, epochs: list[dict[str, Any]], kept: int
) -> None:
    write_history(tmp_path, epochs[:kept])
    for count in range(kept, len(epochs)):
        append_epoch(tmp_path, epochs[: count + 1])
    appended = texts(tmp_path)
    assert repr(read_history(tmp_path)) == repr(epochs)
    write_history(tmp_path, epochs)
    assert texts(tmp_path) == appended
    for line in appended[0].splitlines():
        json.loads(line, parse_constant=pytest.fail)  # NaN is no JSON


def test_both_files_hold_the_same_numbers(tmp_path: Path) -> None:
    first = epoch(1, dice=np.float32(0.1), matrix=np.ones((1, 2)))
    append_epoch(tmp_path, [first])
    append_epoch(tmp_path, [first, epoch(2, dice=np.array(math.nan), val_loss=math.inf)])
    assert texts(tmp_path)[0].splitlines() == [
        '{"epoch": 1, "seconds": 0.5, "loss": 1.0, "dice": 0.10000000149011612, "matrix": [[1.0, 1.0]]}',
        '{"epoch": 2, "seconds": 0.5, "loss": 0.5, "dice": "NaN", "val_loss": "Infinity"}',
    ]
    assert texts(tmp_path)[1].splitlines() == [
        "epoch,seconds,loss,dice,matrix,val_loss",
        '1,0.5,1.0,0.10000000149011612,"[[1.0, 1.0]]",',
        "2,0.5,0.5,nan,,inf",
    ]


def test_appending_leaves_what_is_written_alone(tmp_path: Path) -> None:
    """`tail -f` keeps following: the file stays the same one."""
    write_history(tmp_path, [epoch(1)])
    before = [(tmp_path / name).stat().st_ino for name in FILES]
    append_epoch(tmp_path, [epoch(1), epoch(2)])
    assert [(tmp_path / name).stat().st_ino for name in FILES] == before


@pytest.mark.parametrize("cut", range(1, 40, 3))
def test_a_torn_line_is_left_out_and_mended(
    tmp_path: Path, cut: int, caplog: pytest.LogCaptureFixture
) -> None:
    write_history(tmp_path, [epoch(1), epoch(2)])
    for name in FILES:
        torn = (tmp_path / name).read_bytes()[:-cut]
        (tmp_path / name).write_bytes(torn)
    assert read_history(tmp_path) == [epoch(1)]
    assert "the last line is incomplete" in caplog.text
    append_epoch(tmp_path, [epoch(1), epoch(2), epoch(3)])
    assert read_history(tmp_path) == [epoch(1), epoch(2), epoch(3)]
    rows = list(csv.DictReader(texts(tmp_path)[1].splitlines()))
    assert [row["epoch"] for row in rows] == ["1", "2", "3"]


def test_a_resume_cuts_the_history_back(tmp_path: Path) -> None:
    write_history(tmp_path, [epoch(n) for n in range(1, 6)])
    write_history(tmp_path, [epoch(1), epoch(2)])
    append_epoch(tmp_path, [epoch(1), epoch(2), epoch(3, again=1.0)])
    assert read_history(tmp_path) == [epoch(1), epoch(2), epoch(3, again=1.0)]
    assert texts(tmp_path)[1].count("\n") == 4


def test_a_failed_line_is_made_up_for(tmp_path: Path) -> None:
    write_history(tmp_path, [epoch(1)])
    (tmp_path / "history.csv").unlink()
    (tmp_path / "history.csv").mkdir()
    with pytest.raises(OSError, match=r"history\.csv"):
        append_epoch(tmp_path, [epoch(1), epoch(2)])
    (tmp_path / "history.csv").rmdir()
    append_epoch(tmp_path, [epoch(1), epoch(2), epoch(3)])
    assert [one["epoch"] for one in read_history(tmp_path)] == [1, 2, 3]
    assert texts(tmp_path)[1].count("\n") == 4


def test_a_history_of_another_hand_is_refused_by_line(tmp_path: Path) -> None:
    assert read_history(tmp_path) == []
    (tmp_path / "history.jsonl").write_text('{"epoch": 1}\nhello\n')
    with pytest.raises(ValueError, match=r"history\.jsonl, whose line 2 is not a JSON object"):
        read_history(tmp_path)
