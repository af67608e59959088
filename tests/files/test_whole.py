"""File writes are atomic."""

from __future__ import annotations

from pathlib import Path

import pytest

from ddl.files import write_whole


def test_a_file_is_written_completely(tmp_path: Path) -> None:
    write_whole(tmp_path / "new" / "a.txt", lambda path: path.write_text("all"))
    assert (tmp_path / "new" / "a.txt").read_text() == "all"
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["a.txt"]


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    target = tmp_path / "a.txt"
    target.write_text("old")

    def fail(path: Path) -> None:
        path.write_text("half")
        raise OSError("No space left on device")

    with pytest.raises(OSError, match="No space left"):
        write_whole(target, fail)
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]
