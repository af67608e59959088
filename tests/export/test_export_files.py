"""The files of a model are moved into place all together, or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from ddl.export import export_files
from ddl.inference.trained_model import model_files


def make(folder: Path, name: str) -> Path:
    folder.mkdir()
    for suffix in (".xml", ".bin", ".preprocessing.json"):
        (folder / f"{name}{suffix}").write_text(suffix)
    return folder / f"{name}.xml"


def test_all_files_move_and_the_named_file_moves_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    moved: list[str] = []
    move = export_files.put_in_place
    monkeypatch.setattr(
        export_files, "put_in_place", lambda a, b: (moved.append(b.suffix), move(a, b))
    )
    export_files.move_into_place(make(tmp_path / "made", "a"), tmp_path / "b.xml")
    assert moved == [".json", ".bin", ".xml"]
    assert [path.read_text() for path in model_files(tmp_path / "b.xml")] == [".xml", ".bin"]
    assert not list((tmp_path / "made").iterdir())


def test_a_failed_move_leaves_no_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = make(tmp_path / "made", "a")
    move = export_files.put_in_place

    def fail(source: Path, target: Path) -> None:
        if target.suffix == ".xml":
            raise OSError(28, "No space left on device", str(target))
        move(source, target)

    monkeypatch.setattr(export_files, "put_in_place", fail)
    with pytest.raises(OSError, match="No space"):
        export_files.move_into_place(made, tmp_path / "a.xml")
    assert [path.name for path in tmp_path.iterdir()] == ["made"]


def test_a_folder_moves_whole_and_shares_existing_preprocessing(tmp_path: Path) -> None:
    made = tmp_path / "made" / "a.savedmodel"
    (made / "variables").mkdir(parents=True)
    (made / "variables" / "data").write_text("weights")
    (tmp_path / "made" / "a.preprocessing.json").write_text("same")
    (tmp_path / "a.preprocessing.json").write_text("same")
    export_files.move_into_place(made, tmp_path / "a.savedmodel")
    assert (tmp_path / "a.savedmodel/variables/data").read_text() == "weights"
    assert (tmp_path / "a.preprocessing.json").read_text() == "same"
