"""What stands in a mail: results, parameters, the log's end; and nothing that a name could smuggle in."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from ddl.experiments.notify import after_sync
from tests.experiments.notify.sink import Sink
from tests.experiments.notify.stores import made_experiment, made_view

pytestmark = pytest.mark.usefixtures("configured")

ROWS = [
    {"epoch": 1, "time": 1.0, "attempt": 1, "loss": 0.9, "val_dice": 0.3, "test_dice": 0.2},
    {"epoch": 2, "time": 2.0, "attempt": 1, "loss": "NaN", "val_dice": 0.61, "test_dice": 0.1},
]


def text_of(sink: Sink) -> str:
    return str(sink.mails[-1].get_body().get_content()).replace("\r\n", "\n")  # type: ignore[attr-defined]


def test_validation_and_test_results_stand_first_with_their_best(store: Path, sink: Sink) -> None:
    run = made_experiment(store, state="finished", rows=ROWS)
    after_sync(store, made_view(store, run))
    lines = text_of(sink).splitlines()
    first = lines.index("Results") + 1
    assert lines[first : first + 3] == [
        "  val_dice   0.61",
        "  test_dice  0.1 (best 0.2 at epoch 1)",
        "  loss       NaN (best 0.9 at epoch 1)",
    ]


def test_a_finished_experiment_shows_no_log(store: Path, sink: Sink) -> None:
    after_sync(store, made_view(store, made_experiment(store, state="finished")))
    assert "Last lines" not in text_of(sink)


def test_the_users_own_template(store: Path, sink: Sink) -> None:
    (store.parent.parent / "mine.txt").write_text("Subject: $experiment: $kind\n\nTail:\n$tail\n")
    mail = {"to": "a@b.org", "template": "mine.txt", "curve": False}
    after_sync(store, made_view(store, made_experiment(store, mail=mail)))
    assert sink.subjects == ["001-lr0.1: failed"]
    assert text_of(sink) == "Tail:\nTraceback\nKeyError: 'x'\n"


def test_a_template_that_is_gone_does_not_lose_the_mail(store: Path, sink: Sink) -> None:
    mail = {"to": "a@b.org", "template": "gone.txt", "curve": False}
    lines = after_sync(store, made_view(store, made_experiment(store, mail=mail)))
    assert lines[0].startswith("the mail goes without its template. Received: template ")
    assert len(sink.mails) == 1


def test_a_line_break_in_a_name_makes_no_header(store: Path, sink: Sink) -> None:
    (store.parent.parent / "mine.txt").write_text("Subject: $experiment $why\r\n\r\n$why")
    mail = {"to": "a@b.org", "template": "mine.txt", "curve": False}
    why = "x\r\nBcc: eve@example.org\r\n\r\nhello\x1b[31m\udcff"
    run = made_experiment(store, name="001-a\nBcc: eve@example.org", why=why, mail=mail)
    after_sync(store, made_view(store, run))
    mail_taken = sink.mails[0]
    assert mail_taken["Bcc"] is None
    assert sink.recipients == [["a@b.org"]]
    assert r"\x0d\x0aBcc" in str(mail_taken["Subject"])


def test_the_mail_is_dated_with_the_event_and_names_it(store: Path, sink: Sink) -> None:
    after_sync(store, made_view(store, made_experiment(store)))
    mail = sink.mails[0]
    assert mail["X-DDL-Event"] == "1f2e3d4c/001/a1/failed"
    assert mail["Date"].datetime.timestamp() == 1_790_000_000  # type: ignore[attr-defined]
    assert mail["Auto-Submitted"] == "auto-generated"


def test_unicode_and_long_lines_arrive(store: Path, sink: Sink) -> None:
    tail = ["größer " * 400, "日本語", ".", "From here"]
    run = made_experiment(store, name="001-größe", tail=tail)
    after_sync(store, made_view(store, run))
    assert "001-größe" in sink.subjects[0]
    assert "日本語" in text_of(sink)
    assert max(map(len, text_of(sink).splitlines())) <= 510


def parts_of(sink: Sink) -> list[bytes]:
    parts = sink.mails[-1].iter_attachments()  # type: ignore[attr-defined]
    return [
        part.get_payload(decode=True) for part in parts if part.get_content_type() == "image/png"
    ]


def test_the_curve_is_attached(store: Path, sink: Sink) -> None:
    mail = {"to": "a@b.org"}
    after_sync(store, made_view(store, made_experiment(store, mail=mail, rows=ROWS)))
    (picture,) = parts_of(sink)
    assert picture.startswith(b"\x89PNG")
    assert len(picture) < 400_000


def test_without_values_there_is_no_curve(store: Path, sink: Sink) -> None:
    after_sync(store, made_view(store, made_experiment(store, mail={"to": "a@b.org"})))
    assert parts_of(sink) == []


def test_a_picture_that_cannot_be_drawn_does_not_keep_the_mail(
    store: Path, sink: Sink, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ddl.experiments.comparing.curve_picture", None)
    run = made_experiment(store, mail={"to": "a@b.org"}, rows=ROWS)
    after_sync(store, made_view(store, run))
    assert len(sink.mails) == 1
    assert parts_of(sink) == []
