"""`notify`: what is due, what waits, and a trial mail; on a store as `add` and the agent make it."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from ddl.experiments.command import main
from tests.experiments.made_store import MadeStore
from tests.experiments.notify.sink import PASSWORD, Sink

pytestmark = pytest.mark.usefixtures("configured")

MAIL = {"to": "ada@example.org", "curve": False}


@pytest.fixture
def made(tmp_path: Path) -> MadeStore:
    (tmp_path / "experiments").mkdir()
    return MadeStore(tmp_path / "experiments" / "cells")


def call(made: MadeStore | None, *words: str) -> int:
    store = ["--store", str(made.path)] if made else []
    return main("doc", ["notify", *words, *store])


def test_it_sends_what_is_due_once(made: MadeStore, sink: Sink, capsys: Any) -> None:
    made.experiment("diverged", {"lr": 10}, mail=MAIL)
    made.experiment("running", {"lr": 1}, mail=MAIL)
    made.experiment("finished", {"lr": 0.1}, mail=MAIL)
    assert call(made) == 0
    assert call(made) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "nothing is due"
    assert sorted(subject.partition(":")[0] for subject in sink.subjects) == [
        "[ddl cells] 001-lr10 has diverged",
        "[ddl cells] 003-lr0.1 has finished",
    ]


def test_pending_tells_what_waits_and_why(made: MadeStore, sink: Sink, capsys: Any) -> None:
    made.experiment("diverged", {"lr": 10}, mail=MAIL)
    sink.answers = ["451 later"]
    assert call(made) == 3
    capsys.readouterr()
    assert call(made, "--pending") == 0
    assert "mail about 001-lr10 diverged, 1 tries: 451 later" in capsys.readouterr().out
    assert call(made, "--pending", "--json") == 0
    assert json.loads(capsys.readouterr().out)["waiting"][0]["error"] == "451 later"
    assert sink.mails == []


def test_a_refusal_is_status_3_until_again(made: MadeStore, sink: Sink, capsys: Any) -> None:
    made.experiment("diverged", {"lr": 10}, mail=MAIL)
    sink.answers = ["554 no"]
    assert call(made) == 3
    assert call(made) == 3
    assert call(made, "--pending") == 3
    assert "was refused: 554 no" in capsys.readouterr().out
    assert main("doc", ["status", "--store", str(made.path)]) == 3
    assert "was refused: 554 no" in capsys.readouterr().err
    assert call(made, "--again") == 0
    assert len(sink.mails) == 1


def test_a_trial_mail_needs_no_store(
    tmp_path: Path, sink: Sink, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    assert call(None, "--test") == 0
    assert sink.recipients == [["ddl@example.org"]]
    assert capsys.readouterr().out == (
        f"Sent a trial mail to ddl@example.org through 127.0.0.1:{sink.port}.\n"
    )


def test_a_trial_mail_goes_to_those_who_get_the_stores_mail(made: MadeStore, sink: Sink) -> None:
    made.experiment("running", {"lr": 1}, mail=MAIL)
    assert call(made, "--test") == 0
    assert sink.recipients == [["ada@example.org"]]
    assert not (made.path / "mail").exists()


def test_a_trial_mail_that_is_refused_is_status_3(sink: Sink, capsys: Any, made: Any) -> None:
    sink.answers = ["554 spam"]
    assert call(made, "--test") == 3
    assert "554 spam" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--test", "--pending"], "one of them at a time"),
        (["--store", "nowhere"], "store"),
        (["now"], "argument"),
        (["--tset"], "--test"),
    ],
)
def test_bad_input_is_one_line_and_status_2(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any, words: list[str], told: str
) -> None:
    monkeypatch.chdir(tmp_path)
    try:
        status = main("doc", ["notify", *words])
    except SystemExit as error:
        status = int(error.code or 0)
    captured = capsys.readouterr()
    assert status == 2
    assert captured.err.count("\n") == 1
    assert told in captured.err


def test_no_mail_yaml_is_one_line(
    home: Path, capsys: Any, monkeypatch: Any, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    (home / "mail.yaml").unlink()
    assert main("doc", ["notify", "--test"]) == 2
    assert "mail.yaml" in capsys.readouterr().err


def test_no_verb_leaves_the_password_in_the_environment(
    made: MadeStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DDL_SMTP_PASSWORD", PASSWORD)
    call(made, "--pending")
    assert "DDL_SMTP_PASSWORD" not in os.environ
