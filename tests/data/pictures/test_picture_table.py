"""A table of pictures returns their paths and labels, and takes a fraction of the memory of paths."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import pytest

from ddl.data.pictures.listing import Sample
from ddl.data.pictures.picture_table import PictureTable, labels_of


def test_it_is_a_sequence_of_samples() -> None:
    names = ["a.png", "\udcff.png", "ü.JPEG"]  # the second is no UTF-8 on disk
    table = PictureTable(
        [(Path("cat"), names, 4), (Path("dog"), [], 5), (Path("e"), ["a.png"], [2])]
    )
    assert len(table) == 4
    assert table[1] == Sample(Path("cat/\udcff.png"), label=4)
    assert table[-1] == Sample(Path("e/a.png"), label=2)
    assert table[1:3] == (table[1], table[2])
    assert [*table] == [table[number] for number in range(4)]
    assert labels_of(table).tolist() == labels_of([*table]).tolist() == [4, 4, 4, 2]
    with pytest.raises(IndexError):
        table[4]


def test_it_may_be_empty() -> None:
    assert not PictureTable([])
    assert not PictureTable([(Path("cat"), [], 0)])


def test_a_picture_takes_40_bytes_beside_its_name() -> None:
    folders = [Path(f"n{label:08d}") for label in range(20)]
    tracemalloc.start()
    table = PictureTable(
        (folder, [f"{folder}_{number}.JPEG" for number in range(1000)], label)
        for label, folder in enumerate(folders)
    )
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert held < len(table) * (40 + 19)
