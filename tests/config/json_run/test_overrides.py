"""Several configs and --set are one config: later ones win key by key, and lists are replaced whole."""

from __future__ import annotations

from pathlib import Path

import pytest

from ddl.config.json_run.reading import BadConfig, read_settings
from tests.config.json_run.good_configs import BLOCKS, CLASSES, settings_of


@pytest.mark.parametrize(
    ("text", "change", "path", "value"),
    [
        (CLASSES, "data.batch_size=8", "data.batch_size", 8),
        (CLASSES, "neural_network.data.batch_size=8", "data.batch_size", 8),
        (CLASSES, "optimizer.learning_rate=1e-4", "optimizer.learning_rate", 1e-4),
        (CLASSES, "optimizer.learning_rate=1", "optimizer.learning_rate", 1.0),
        (CLASSES, "optimizer.type=LARS", "optimizer.type", "LARS"),
        (CLASSES, 'optimizer.type="LARS"', "optimizer.type", "LARS"),
        (CLASSES, "outfile=5", "outfile", "5"),
        (CLASSES, "outfile=a=b.txt", "outfile", "a=b.txt"),
        (CLASSES, "data.train_tag=x", "data.training_tag", "x"),
        (CLASSES, "data.preload=false", "data.preload", False),
        (CLASSES, "outfile=null", "outfile", None),
        (CLASSES, "loss.weight=1,2.5", "loss.weight", (1.0, 2.5)),
        (CLASSES, "ddl.seed=7", "ddl.seed", 7),
        (CLASSES, "layers.batch_norm_affine=always", "layers.batch_norm_affine", "always"),
        (CLASSES, "layers.batch_norm_affine=always", "layers.file", "net.json"),
    ],
)
def test_a_value_is_set(here: Path, text: str, change: str, path: str, value: object) -> None:
    found = settings_of(here, text, change)
    assert (found.given.get(path), type(found.given.get(path))) == (value, type(value))


@pytest.mark.parametrize(
    "change",
    [
        "data.slicers.0.strides=[2,4,1]",
        "data.slicers.0.strides=2,4,1",
        "data.slicers.0={'name': 'a'}".replace("'", '"'),
    ],
)
def test_an_item_of_a_list_is_set(here: Path, change: str) -> None:
    if "{" in change:
        with pytest.raises(BadConfig, match=r"data\.slicers\.0\.sizes: is missing"):
            settings_of(here, BLOCKS, change)
        return
    first, second = settings_of(here, BLOCKS, change)["data.slicers"]
    assert (first["strides"], first["sizes"], second["strides"]) == ((2, 4, 1), (8, 8, 1), None)


def test_later_configs_win_key_by_key_and_with_lists_whole(here: Path) -> None:
    (here / "a.json").write_text(CLASSES)
    (here / "b.json").write_text(
        '{"neural_network": {"data": {"batch_size": 4, "transforms": [{"rotate": 5}]},\n'
        '"optimizer": {"momentum": 0.5}}}'
    )
    found = read_settings(["a.json", "b.json"], ["data.batch_size=2"])
    assert [step["rotate"] for step in found["data.transforms"]] == [5.0]
    assert (found["optimizer.momentum"], found["optimizer.learning_rate"]) == (0.5, 0.1)
    assert found["data.batch_size"] == 2
    assert str(found.place("optimizer.momentum")) == "b.json:2:15"
    assert str(found.place("optimizer.learning_rate")) == "a.json:30"


def test_names_are_taken_in_any_letters(here: Path) -> None:
    text = CLASSES.replace('"sgd"', '"RMSPROP"').replace('"Exponential"', '"exponential"')
    found = settings_of(here, text)
    assert found["optimizer.type"] == "RMSprop"
    assert found["optimizer.lr_scheduler.type"] == "Exponential"
    assert found["loss.function"] == "NLL"
