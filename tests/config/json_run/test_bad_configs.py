"""A mistake in a config gets one line: file, line, key and what is expected. All mistakes are told at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from ddl.config.json_run.reading import BadConfig, read_settings
from tests.config.json_run import bad_configs, bad_detectors, bad_gans
from tests.config.json_run.bad_configs import Row
from tests.config.json_run.good_configs import CLASSES, settings_of
from tests.scripts.in_process import call

ROWS = [
    *bad_configs.TEXTS,
    *bad_configs.KEYS,
    *bad_configs.VALUES,
    *bad_configs.TOGETHER,
    *bad_gans.KEYS,
    *bad_gans.TOGETHER,
    *bad_detectors.ROWS,
]


def lines_about(folder: Path, text: str, *changes: str) -> list[str]:
    """Return the lines that a config gets."""
    with pytest.raises(BadConfig) as caught:
        settings_of(folder, text, *changes)
    return caught.value.lines


def test_there_are_enough_of_them() -> None:
    assert len({(row.config, row.old, row.new) for row in ROWS}) >= 80


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.old[:20]}>{row.new[:20]}")
def test_a_mistake_gets_one_line(here: Path, row: Row) -> None:
    text = row.config.replace(row.old, row.new, 1) if row.old else row.new
    assert text != row.config
    (line,) = lines_about(here, text)
    start, more, _ = row.line.partition("...")
    assert line.startswith(start) if more else line == start


def test_all_mistakes_are_told_at_once_in_their_order(here: Path) -> None:
    text = CLASSES
    rows = [bad_configs.KEYS[0], bad_configs.TEXTS[8], bad_configs.VALUES[0]]
    for row in rows:
        text = text.replace(row.old, row.new, 1)
    lines = lines_about(here, text, "optimizer.typ=adam")
    assert [line.split(": ")[0] for line in lines] == [
        *("x.json:8:26", "x.json:4", "x.json:16", "--set optimizer.typ=adam")
    ]


def test_missing_data_and_a_bad_network_are_told_beside_a_mistake(here: Path) -> None:
    (here / "net.json").write_text('{"class_name": "Functional"}')
    text = CLASSES.replace('"num_epochs"', '"num_epoch"').replace('"test/"', '"tset/"')
    assert [line.split(": ")[:2] for line in lines_about(here, text)] == [
        ["x.json:4", "num_epoch"],
        ["x.json:5", "layers"],
        ["x.json:14", "data.test_input_path"],
    ]


def test_all_missing_data_are_told_at_once(here: Path) -> None:
    text = CLASSES.replace('"train/"', '"trian/"').replace('"test/"', '"tset/"')
    (here / "x.json").write_text(text)
    outcome = call("run", "--config=x.json", "--dry-run")
    assert outcome.status == 2
    assert [line.split(": ")[:2] for line in outcome.told.splitlines()] == [
        ["x.json:13", "data.input_path"],
        ["x.json:14", "data.test_input_path"],
    ]


def test_what_follows_from_a_mistake_is_not_told(here: Path) -> None:
    text = CLASSES.replace('"nll"', '"Poisson2D_PDF"').replace('"labels"', '"image"')
    lines = lines_about(here, text)
    assert [line.split(": ")[1] for line in lines] == ["data.target_type", "loss.function"]


@pytest.mark.parametrize("name", ["missing.json", "train"])
def test_a_file_that_cannot_be_read_is_named(here: Path, name: str) -> None:
    with pytest.raises(BadConfig, match=rf"^{name}: .*Expected: a JSON file\.$"):
        read_settings([name])


@pytest.mark.parametrize(
    ("data", "line"),
    [
        (b'{\n "a\xff": 1}', "x.json:2:4: byte 0xff, which is not UTF-8. Expected: a UTF-8 text."),
        ("{}".encode("utf-16"), "x.json:1:1: UTF-16 text. Expected: UTF-8; save the file again"),
        (b"[" * 10_000, "x.json:1:66: more than 64 levels of brackets."),
        (b"9" * 10_000, "x.json:1:1: a number of 10000 digits. Expected: at most 400."),
    ],
)
def test_strange_bytes_get_one_line(here: Path, data: bytes, line: str) -> None:
    (here / "x.json").write_bytes(data)
    with pytest.raises(BadConfig) as caught:
        read_settings(["x.json"])
    assert caught.value.lines[0].startswith(line)
    assert len(caught.value.lines) == 1


def test_a_byte_order_mark_is_no_mistake(here: Path) -> None:
    (here / "x.json").write_text(CLASSES, encoding="utf-8-sig")
    assert read_settings(["x.json"])["num_epochs"] == 3


def test_the_command_ends_with_status_2_and_writes_nothing(here: Path) -> None:
    text = CLASSES.replace('"batch_size"', '"batch_sise"').replace('"nll"', '"nl"')
    (here / "x.json").write_text(text)
    before = sorted(here.rglob("*"))
    outcome = call("run", "--config=", "x.json", "--app", "pde", folder=here)
    assert (outcome.status, outcome.printed) == (2, "")
    assert outcome.told.splitlines()[0] == (
        "x.json:16: data.batch_sise: no such key. Did you mean batch_size?"
    )
    assert outcome.told.count("\n") == 2
    assert sorted(here.rglob("*")) == before


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ([], "run: Received: no --config. Expected: --config=FILE, a JSON file.\n"),
        (
            ["--config=x.json", "--app=gan"],
            "--app=gan: contradicts the config, without generator and discriminator. Expected: --app=dnn, ",
        ),
        (
            ["--config=x.json", "--app=OBJ"],
            "--app=obj: contradicts the config, without a detector. Expected: --app=dnn, ",
        ),
        (
            ["--config=x.json", "--app=pde"],
            "--app=pde: contradicts the config, whose loss is NLL. Expected: --app=dnn, or no --app.\n",
        ),
        (
            ["--config=x.json", "--set=x"],
            "--set x: Received: no path and value. Expected: such as data.batch_size=16.\n",
        ),
        (
            ["--config=x.json", "--set", "data.transforms.9.resize=[8,8]"],
            "--set data.transforms.9.resize=[8,8]: data.transforms.9.resize: no such item.",
        ),
    ],
)
def test_a_wrong_flag_gets_one_line(here: Path, words: list[str], line: str) -> None:
    (here / "x.json").write_text(CLASSES)
    outcome = call("run", *words, folder=here)
    assert outcome.status == 2
    assert outcome.told.startswith(line)
    assert outcome.told.count("\n") == 1
