"""report.html: one file that loads nothing, shows everything, and in which every text is a text."""

from __future__ import annotations

import json
import time
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from ddl.experiments.command import main
from ddl.experiments.report import report_html
from tests.experiments.made_store import MadeStore

EVIL = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>\u202e\x1b]0;x\x07"


class Page(HTMLParser):
    """The elements, attributes and texts of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.rows: list[list[str]] = []
        self.texts: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        self._open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        while self._open and self._open.pop() != tag:
            pass

    def handle_data(self, data: str) -> None:
        if {"script", "style"} & set(self._open):
            return
        self.texts.append(data)
        if {"td", "th"} & set(self._open):
            self.rows[-1][-1] += data


@pytest.fixture
def made(tmp_path: Path) -> MadeStore:
    (tmp_path / "experiments").mkdir()
    return MadeStore(tmp_path / "experiments" / "cells")


def page_of(made: MadeStore) -> Page:
    view = made.view()
    return Page(report_html(view, view.experiments))


def test_a_column_for_each_parameter_and_result(made: MadeStore) -> None:
    for lr in (0.1, 0.01):
        folder = made.experiment("finished", {"lr": lr, "same": 1})
        made.epochs(folder, 3)
    page = page_of(made)
    assert page.rows[0] == [
        *("experiment", "state", "epoch", "lr", "val_dice", "loss", "findings", "node", "why")
    ]
    assert page.rows[1][:6] == ["001-lr0.1-same1", "finished", "3", "0.1", "0.75", "0.33333"]
    assert "The same in all: same 1" in page.texts


def test_every_text_of_a_stranger_is_a_text(made: MadeStore) -> None:
    folder = made.experiment(
        "failed",
        {EVIL: EVIL, "lr": 1},
        name=f"001-{EVIL}".replace("/", "_"),
        author=EVIL,
        subject=EVIL,
        group=EVIL,
        node=EVIL,
    )
    made.experiment("queued", {EVIL: "other"})
    attempt = folder.attempt(1)
    attempt.err_log.write_text(EVIL)
    attempt.findings.write_text(json.dumps({"rule": EVIL, "text": EVIL, "epoch": EVIL}) + "\n")
    made.end(attempt, "crashed", why=EVIL, tail=[EVIL])
    made.history(folder, [{"epoch": 1, EVIL: 1.0}, {"epoch": 2, EVIL: 2.0}])
    made.seen("here", reachable=False, error=EVIL)
    page = page_of(made)
    assert page.tags.count("script") == 1
    assert "img" not in page.tags
    assert [name for name, _ in page.attributes if name.startswith("on")] == []
    text = "".join(page.texts)
    assert text.count("<script>alert(1)") >= 10
    assert "\x1b" not in text
    assert "\u202e" not in text


def test_it_loads_nothing(made: MadeStore) -> None:
    made.epochs(made.experiment("running", {"lr": 1}), 5)
    page = page_of(made)
    policy = dict(page.attributes)["content"] or ""
    links = [value for name, value in page.attributes if name in ("src", "href", "action")]
    assert all(str(link).startswith("#") for link in links)
    assert not {"link", "img", "iframe", "form"} & set(page.tags)
    assert any("default-src 'none'" in str(value) for _, value in page.attributes), policy


def test_what_went_wrong_shows_the_end_of_its_log(made: MadeStore) -> None:
    folder = made.experiment("failed", {"lr": 1})
    folder.attempt(1).err_log.write_text("Traceback\nKeyError: 'x'\n")
    assert "KeyError: 'x'" in "".join(page_of(made).texts)


def test_a_store_without_experiments_and_one_that_cannot_be_read(made: MadeStore) -> None:
    broken = made.path / "001-broken"
    broken.mkdir()
    (broken / "experiment.json").write_text("{")
    assert any("001-broken cannot be read" in text for text in page_of(made).texts)


def test_200_experiments_stay_small_and_quick(made: MadeStore) -> None:
    for number in range(200):
        folder = made.experiment("finished", {"lr": number})
        if number < 60:
            made.epochs(folder, 200)
    view = made.view()
    start = time.monotonic()
    text = report_html(view, view.experiments)
    assert time.monotonic() - start < 15
    assert len(text) < 4_000_000


def test_the_verb_writes_the_file_and_nothing_in_the_store(
    made: MadeStore, tmp_path: Path, capsys: Any
) -> None:
    made.epochs(made.experiment("finished", {"lr": 1}), 3)
    made.experiment("failed", {"lr": 2})
    before = {path: path.stat().st_mtime_ns for path in made.path.rglob("*")}
    output = tmp_path / "cells.html"
    words = ["report", "lr=1", "--store", str(made.path), "--output", str(output)]
    assert main("doc", words) == 0
    assert main("doc", [*words, "--json"]) == 0
    assert capsys.readouterr().out.startswith(f"Wrote {output}: 1 experiments, ")
    assert "002-lr2" not in output.read_text()
    assert {path: path.stat().st_mtime_ns for path in made.path.rglob("*")} == before


@pytest.mark.parametrize("output", ["report.txt", "no/where.html", "folder.html"])
def test_an_output_that_cannot_be_is_one_line(
    made: MadeStore, tmp_path: Path, capsys: Any, output: str
) -> None:
    (tmp_path / "folder.html").mkdir()
    status = main("doc", ["report", "--store", str(made.path), "--output", str(tmp_path / output)])
    captured = capsys.readouterr()
    assert status == 2
    assert captured.err.count("\n") == 1
