"""Checkpoints are written while training continues; a failed write is reported, and the next one is tried."""

from __future__ import annotations

import logging
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from ddl.training.checkpoint import checkpoint_writer
from ddl.training.checkpoint.checkpoint_file import Snapshot, check_checkpoint, write_checkpoint
from ddl.training.checkpoint.checkpoint_folder import Retention, list_checkpoints
from ddl.training.checkpoint.checkpoint_writer import CheckpointWriter
from tests.training.checkpoint.snapshots import make_snapshot


def names(folder: Path) -> list[str]:
    return [path.name for _, path in list_checkpoints(folder)]


def test_writes_in_the_background_one_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    may_write, writing = threading.Event(), []

    def slow(path: Path, snapshot: Snapshot) -> None:
        writing.append(path.name)
        assert may_write.wait(30)
        write_checkpoint(path, snapshot)

    monkeypatch.setattr(checkpoint_writer, "write_checkpoint", slow)
    writer = CheckpointWriter(tmp_path / "checkpoints", Retention(keep_last=3))
    writer.submit(make_snapshot(1))  # returns although nothing may be written yet
    second = threading.Thread(target=writer.submit, args=(make_snapshot(1, 5),))
    second.start()
    time.sleep(0.2)
    assert second.is_alive()  # it waits for the first one, so that no snapshots pile up
    assert writing == ["epoch-0001.h5"]
    may_write.set()
    second.join(30)
    assert writer.flush()
    assert names(tmp_path / "checkpoints") == ["epoch-0001.h5", "epoch-0001-step-000005.h5"]


def test_what_is_superseded_goes_once_the_newer_one_is_there(tmp_path: Path) -> None:
    (tmp_path / ".77.epoch-0009.h5").write_bytes(b"left by a killed writer")
    history = [
        {"epoch": n, "val_dice": dice} for n, dice in enumerate((0.1, 0.9, 0.2, 0.3, 0.4), 1)
    ]
    writer = CheckpointWriter(tmp_path, Retention(monitor="val_dice"))
    for epoch in range(1, 6):
        writer.submit(make_snapshot(epoch, history=history[:epoch]))
        writer.submit(make_snapshot(epoch, 3, history=history[:epoch]))
    assert writer.flush()
    everything = sorted(path.name for path in tmp_path.iterdir())
    assert everything == [
        f"epoch-{n:04d}{s}.h5" for n, s in ((2, ""), (4, ""), (5, "-step-000003"), (5, ""))
    ]


def test_a_failed_write_is_told_once_and_the_next_one_tried(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "checkpoints"
    writer = CheckpointWriter(folder, Retention(keep_last=9))
    writer.submit(make_snapshot(1))
    assert writer.flush()

    def full(path: Path, snapshot: Snapshot) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(checkpoint_writer, "write_checkpoint", full)
        with caplog.at_level(logging.WARNING, "ddl"):
            writer.submit(make_snapshot(2))
            assert not writer.flush()
    assert len(caplog.records) == 1
    assert caplog.messages[0] == (
        f"Could not write checkpoint {folder / 'epoch-0002.h5'}: No space left on device. Training continues "
        "without it; the last good one is epoch-0001.h5."
    )
    assert names(folder) == ["epoch-0001.h5"]
    writer.submit(make_snapshot(3))
    assert writer.flush()
    assert names(folder) == ["epoch-0001.h5", "epoch-0003.h5"]


def test_a_folder_that_became_a_file_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "checkpoints"
    writer = CheckpointWriter(folder, Retention())
    folder.write_text("in the way")
    with caplog.at_level(logging.WARNING, "ddl"):
        writer.submit(make_snapshot(1))
        assert not writer.flush()
    assert "there is no earlier one" in caplog.text
    folder.unlink()
    writer.submit(make_snapshot(1))
    assert writer.flush()
    check_checkpoint(folder / "epoch-0001.h5")


def test_a_bug_is_raised_by_who_comes_next(tmp_path: Path) -> None:
    writer = CheckpointWriter(tmp_path, Retention())
    broken = make_snapshot(1)
    broken.facts["plan"] = object()
    writer.submit(broken)
    with pytest.raises(TypeError, match="not JSON serializable"):
        writer.submit(make_snapshot(2))
    assert not writer.flush()
    writer.submit(make_snapshot(2))
    assert writer.flush()
    assert names(tmp_path) == ["epoch-0002.h5"]


def test_a_program_that_ends_finishes_its_file(tmp_path: Path) -> None:
    program = (
        "import pathlib, sys\n"
        "from ddl.training.checkpoint.checkpoint_folder import Retention\n"
        "from ddl.training.checkpoint.checkpoint_writer import CheckpointWriter\n"
        "from tests.training.checkpoint.snapshots import make_snapshot\n"
        f"writer = CheckpointWriter(pathlib.Path({str(tmp_path)!r}), Retention())\n"
        "writer.submit(make_snapshot(1, count=1_000_000))\n"
        "raise SystemExit(3)\n"
    )
    result = subprocess.run([sys.executable, "-c", program], check=False, timeout=60)
    assert result.returncode == 3
    check_checkpoint(tmp_path / "epoch-0001.h5")
    assert [path.name for path in tmp_path.iterdir()] == ["epoch-0001.h5"]
