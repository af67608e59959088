"""A lock is never taken through a link, empties nothing, and works where the file system has no locks."""

from __future__ import annotations

import errno
import fcntl
import logging
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from ddl.files import open_to_append, write_whole
from ddl.files.locks import hold_folder, hold_lock
from ddl.files.whole import partial_path


def take(path: Path) -> None:
    with hold_lock(path):
        pass


@pytest.fixture
def precious(tmp_path: Path) -> Path:
    path = tmp_path / "precious.txt"
    path.write_text("all of it")
    return path


def test_a_lock_is_not_opened_through_a_link(tmp_path: Path, precious: Path) -> None:
    (tmp_path / ".lock").symlink_to(precious)
    with pytest.raises(
        ValueError, match=r"\.lock, which is not a regular file\. Expected: no such"
    ):
        take(tmp_path / ".lock")
    assert precious.read_text() == "all of it"
    with (
        pytest.raises(ValueError, match="which is not a regular file"),
        hold_folder("run_dir", tmp_path, ".lock", "training"),
    ):
        pass


def test_a_lock_through_a_broken_link_makes_no_file(tmp_path: Path) -> None:
    (tmp_path / ".lock").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ValueError, match="which is not a regular file"):
        take(tmp_path / ".lock")
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize("kind", ["pipe", "folder", "device"])
def test_a_lock_that_is_no_file_is_refused_and_does_not_hang(tmp_path: Path, kind: str) -> None:
    path = tmp_path / ".lock"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    else:
        path.symlink_to("/dev/null")
    with pytest.raises(ValueError, match="which is not a regular file"):
        take(path)


def test_a_lock_empties_no_file_of_its_name(tmp_path: Path, precious: Path) -> None:
    """Not even one that has a second name, such as a hard link to somebody's file."""
    os.link(precious, tmp_path / ".lock")
    take(tmp_path / ".lock")
    assert precious.read_text() == "all of it"


@pytest.fixture(params=[errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS])
def without_locks(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(request.param, "no locks")

    monkeypatch.setattr(fcntl, "flock", refuse)


def test_without_locks_a_folder_takes_their_place_and_it_is_said_once(
    tmp_path: Path, without_locks: None, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / ".lock"
    with caplog.at_level(logging.WARNING), hold_lock(path):
        assert (tmp_path / ".lock.folder").is_dir()
        assert len(caplog.messages) == 1
        assert "has no locks, so the folder .lock.folder takes the place" in caplog.messages[0]
        with (
            pytest.raises(
                ValueError, match=rf"process {os.getpid()} on host {socket.gethostname()}"
            ),
            hold_folder("run_dir", tmp_path, ".lock", "training"),
        ):
            pass
    assert not list(tmp_path.iterdir())
    take(path)


def test_a_stale_folder_names_its_host_its_process_and_the_remedy(
    tmp_path: Path, without_locks: None
) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    folder = tmp_path / ".lock.folder"
    folder.mkdir()
    holder = folder / "holder.txt"
    holder.write_text(f"{socket.gethostname()} {ended.pid}\n")
    with pytest.raises(
        BlockingIOError, match=r"That process no longer exists\. If no such process"
    ):
        take(tmp_path / ".lock")
    holder.write_text("node7 12\n")
    with pytest.raises(BlockingIOError, match=r"process 12 on host node7 works there\. If no such"):
        take(tmp_path / ".lock")
    for text in ("", "a b c", "host 99999999999999999999999", "host x", "\xff"):
        holder.write_text(text)
        with pytest.raises(BlockingIOError, match="delete that folder"):
            take(tmp_path / ".lock")


def test_another_error_of_the_lock_is_not_taken_for_a_missing_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(fcntl, "flock", fail)
    with pytest.raises(OSError, match="Input/output"):
        take(tmp_path / ".lock")


def test_a_temporary_name_that_is_a_link_is_not_written_through(
    tmp_path: Path, precious: Path
) -> None:
    target = tmp_path / "a.txt"
    for make in (os.symlink, os.link):
        make(precious, partial_path(target))
        write_whole(target, lambda path: path.write_text("mine"))
        assert (precious.read_text(), target.read_text()) == ("all of it", "mine")
    os.mkfifo(partial_path(target))
    write_whole(target, lambda path: path.write_text("again"))
    assert target.read_text() == "again"


def test_nothing_is_appended_through_a_link_or_to_a_pipe(tmp_path: Path, precious: Path) -> None:
    (tmp_path / "link").symlink_to(precious)
    os.mkfifo(tmp_path / "pipe")
    for name in ("link", "pipe"):
        with pytest.raises(OSError, match=r"links|No such device|regular"):
            open_to_append(tmp_path / name)
    assert precious.read_text() == "all of it"
    for line in ("one\n", "two\n"):
        with open_to_append(tmp_path / "new") as file:
            file.write(line)
    assert (tmp_path / "new").read_text() == "one\ntwo\n"


@pytest.mark.parametrize("length", [240, 250, 251, 255])
def test_a_file_whose_name_is_as_long_as_allowed_is_written(tmp_path: Path, length: int) -> None:
    name = "é" * (length // 2 - 2) + "x" * (length % 2) + ".png"
    assert len(name.encode()) == length
    write_whole(tmp_path / name, lambda path: path.write_text(path.suffix))
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).read_text() == ".png"
