"""Models of their own: the .keras file, its second name .pt, and what is refused."""

from __future__ import annotations

import os
import pickle
import zipfile
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from ddl.training.checkpoint import model_copy
from ddl.training.checkpoint.model_copy import read_notes, real_model_path, write_model_copy
from ddl.training.checkpoint.transfer import copy_weights, load_model

NOTES = {"plan": {"epochs": 3}, "preprocessing": {"target": "label"}}


@pytest.fixture(scope="module")
def model() -> keras.Model:
    inputs = keras.Input((4,))
    return keras.Model(inputs, keras.layers.Dense(2, name="head")(inputs))


@pytest.fixture
def copy(tmp_path: Path, model: keras.Model) -> Path:
    path = tmp_path / "m" / "model_checkpoint_3.keras"
    write_model_copy(path, model.save, NOTES)
    return path


def same(one: keras.Model, other: keras.Model) -> bool:
    pairs = zip(one.get_weights(), other.get_weights(), strict=True)
    return all(np.array_equal(*pair) for pair in pairs)


def test_plain_keras_loads_it(copy: Path, model: keras.Model) -> None:
    assert same(keras.models.load_model(copy), model)
    assert read_notes(copy) == NOTES


def test_pt_means_the_file_beside_it_and_is_said_once(
    copy: Path, model: keras.Model, capsys: pytest.CaptureFixture[str]
) -> None:
    twin = copy.with_suffix(".pt")
    assert twin.samefile(copy)
    for _ in range(2):
        assert real_model_path(twin) == copy
    assert capsys.readouterr().err == f"For {twin}, {copy.name} beside it is read.\n"
    twin.unlink()
    assert same(load_model(twin), model)


def test_a_moved_pt_is_read_itself(tmp_path: Path, copy: Path, model: keras.Model) -> None:
    moved = tmp_path / "best.pt"
    copy.with_suffix(".pt").rename(moved)
    copy.unlink()
    assert same(load_model(moved), model)
    other = keras.models.clone_model(model)
    copy_weights(other, moved)
    assert same(other, model)


def test_without_links_it_is_a_copy(
    tmp_path: Path, model: keras.Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "link", refuse)
    path = tmp_path / "model_checkpoint_1.keras"
    for _ in range(2):  # the second one replaces the first
        write_model_copy(path, model.save, NOTES)
    twin = path.with_suffix(".pt")
    assert not twin.samefile(path)
    assert twin.read_bytes() == path.read_bytes()
    assert len(list(tmp_path.iterdir())) == 2


class Trap:
    def __reduce__(self) -> Any:
        return os.abort, ()


def write_torch(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("model/data.pkl", pickle.dumps(Trap()))


@pytest.mark.parametrize(
    ("write", "received"),
    [
        (write_torch, "is a file of PyTorch"),
        (lambda path: path.write_bytes(pickle.dumps(Trap())), "is a file of PyTorch"),
        (lambda path: path.write_text("hello"), "holds no Keras model"),
        (lambda path: None, "does not exist, nor does x.keras"),
    ],
)
def test_other_files_are_refused_unread(tmp_path: Path, write: Any, received: str) -> None:
    path = tmp_path / "x.pt"
    write(path)
    with pytest.raises(ValueError, match=received):
        load_model(path)


def test_a_file_of_pytorch_is_refused_also_beside_a_model_of_ours(copy: Path) -> None:
    twin = copy.with_suffix(".pt")
    twin.unlink()
    write_torch(twin)
    with pytest.raises(ValueError, match="is a file of PyTorch"):
        real_model_path(twin)


def test_damaged_notes_are_named(tmp_path: Path) -> None:
    path = tmp_path / "x.keras"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("ddl.json", "{")
    with pytest.raises(ValueError, match=r"x\.keras, whose ddl\.json is damaged"):
        read_notes(path)
    path.write_text("no archive")
    assert read_notes(path) is None
    assert model_copy.copy_name(20) == "model_checkpoint_20.keras"
