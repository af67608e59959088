"""The index of shards is made once, stands whole or not at all, and is made again when it does not fit the shards."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from ddl.data.sources import open_source
from ddl.data.sources.records import record_index
from tests.data.sources.records import record_files as files

NAME = ".train.ddl-index.npz"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return files.shards(tmp_path / "in")


@pytest.fixture
def scans(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the names of the shards that are scanned from now on."""
    names: list[str] = []
    scan = record_index.find_records

    def counted(path: Path, visit: object = None) -> np.ndarray:
        names.append(path.name)
        return scan(path, visit)  # type: ignore[arg-type]

    monkeypatch.setattr(record_index, "find_records", counted)
    return names


def test_shards_are_scanned_once(folder: Path, scans: list[str]) -> None:
    first = open_source(folder)
    assert scans == ["train-00000-of-00002", "train-00001-of-00002"]
    scans.clear()
    second = open_source(folder)
    assert scans == []
    assert second.read_column("label").tolist() == first.read_column("label").tolist()
    assert {path.name for path in folder.iterdir() if path.name.startswith(".")} == {NAME}


def changed_shard(folder: Path) -> None:
    files.shard(folder / "train-00001-of-00002", [files.picture_example(5)])


def touched_shard(folder: Path) -> None:
    os.utime(folder / "train-00001-of-00002", (1, 1))


def cut_index(folder: Path) -> None:
    (folder / NAME).write_bytes((folder / NAME).read_bytes()[:200])


def no_index(folder: Path) -> None:
    (folder / NAME).write_bytes(b"no archive")


def other_starts(folder: Path) -> None:
    """Store places that lead nowhere, as a stranger could."""
    with np.load(folder / NAME) as stored:
        arrays = {name: stored[name] for name in stored.files}
    np.savez(folder / NAME, **arrays | {"starts": -arrays["starts"]})


def other_counts(folder: Path) -> None:
    with np.load(folder / NAME) as stored:
        arrays = {name: stored[name] for name in stored.files}
    np.savez(folder / NAME, **arrays | {"counts": arrays["counts"] + 1})


@pytest.mark.parametrize(
    "change", [changed_shard, touched_shard, cut_index, no_index, other_starts, other_counts]
)
def test_an_index_that_does_not_fit_is_made_again(
    folder: Path, scans: list[str], change: object
) -> None:
    open_source(folder)
    change(folder)  # type: ignore[operator]
    scans.clear()
    source = open_source(folder)
    assert len(scans) == 2
    assert len(source.read(range(len(source)))["label"]) == len(source)
    scans.clear()
    open_source(folder)
    assert scans == []


def test_other_labels_make_another_index(folder: Path, scans: list[str]) -> None:
    open_source(folder)
    scans.clear()
    open_source(folder, keys=("image/encoded", "image/height"))
    assert len(scans) == 2


def test_a_folder_that_cannot_be_written_has_its_index_in_the_cache(
    folder: Path, scans: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(record_index.os, "access", lambda *_: False)
    open_source(folder)
    scans.clear()
    open_source(folder)
    assert scans == []
    assert not (folder / NAME).exists()
    assert len([*(tmp_path / "cache").rglob(NAME)]) == 1


def test_without_any_place_for_it_the_index_stays_in_memory(
    folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(record_index.os, "access", lambda *_: False)
    (tmp_path / "cache").write_text("a file")
    assert len(open_source(folder)) == 7


def test_an_index_that_cannot_be_written_leaves_nothing(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, write: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(record_index, "write_whole", full)
    assert len(open_source(folder)) == 7
    assert [path.name for path in folder.iterdir() if path.name.startswith(".")] == []
