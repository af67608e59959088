"""File names in logs and on terminals: no escape sequence runs, no newline forges a line, no byte gives a traceback."""

from __future__ import annotations

import io
import logging
import os
from pathlib import Path

import pytest

from ddl.flags import complain
from ddl.plain_text import encodable, escaped, escaped_lines, tell
from ddl.progress import Progress, StatusLine
from ddl.training.record.run_dir import open_log
from tests.data import make
from tests.scripts.in_process import call

NASTY = "a\x1b[31m\nddl: all is well\r\x9b2J\u202egnp\u2028\x7f.png"
SHOWN = r"a\x1b[31m\x0addl: all is well\x0d\x9b2J\u202egnp\u2028\x7f.png"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (NASTY, SHOWN),
        ("plain name, é, 日本, \U0001f600 \u200d", "plain name, é, 日本, \U0001f600 \u200d"),
        (os.fsdecode(b"a\xff\xfe"), r"a\xff\xfe"),
        ("half \ud83d", r"half \ud83d"),
        ("\u200e\u200f\u2066\u2069\u061c\ufeff", r"\u200e\u200f\u2066\u2069\u061c\ufeff"),
        ("\U000e0041", r"\U000e0041"),
        ("a\u200bb\u00ad\u2060", r"a\u200bb\xad\u2060"),
        ("\x00\x07\x08\t\x85", r"\x00\x07\x08\x09\x85"),
    ],
)
def test_control_characters_and_marks_are_shown_as_numbers(text: str, shown: str) -> None:
    assert escaped(text) == shown
    assert escaped(Path("x") / text) == f"x/{shown}"


def test_every_control_character_is_escaped_and_every_other_one_stays() -> None:
    for code in range(0x110000):
        is_control = code < 32 or 127 <= code < 160 or 0xD800 <= code < 0xE000
        if is_control:
            assert escaped(chr(code)) != chr(code)
            assert escaped(chr(code)).isascii()
    assert escaped("".join(map(chr, range(32, 127)))) == "".join(map(chr, range(32, 127)))


def test_lines_of_several_stay_lines() -> None:
    assert escaped_lines("a\x1b\nb\r\n") == "a\\x1b\nb\\x0d\n"


def test_text_that_utf_8_cannot_express_is_written_to_files() -> None:
    assert encodable(os.fsdecode(b"a\n\xff\x1b")).encode() == b"a\n\\xff\x1b"


def test_what_is_told_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    tell(NASTY)
    complain("predict", f"Received: {NASTY}.")
    assert capsys.readouterr().err == f"{SHOWN}\npredict: Received: {SHOWN}.\n"


def test_what_is_logged_is_one_line_for_every_handler(tmp_path: Path) -> None:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    logger = logging.getLogger("ddl")
    logger.addHandler(handler)
    try:
        with open_log(tmp_path) as log:
            logger.warning("Skipped %s and %d more.", Path(NASTY), 3)
            logger.warning("Skipped %s.", os.fsdecode(b"\xff"))
            log.write_line(NASTY)
    finally:
        logger.removeHandler(handler)
    assert stream.getvalue() == f"Skipped {SHOWN} and 3 more.\nSkipped \\xff.\n"
    written = (tmp_path / "log.txt").read_text().splitlines()
    assert [line.split("  ", 2)[2] for line in written] == [
        *stream.getvalue().splitlines(),
        SHOWN,
    ]


@pytest.mark.parametrize("redraws", [False, True])
def test_progress_shows_names_as_numbers(redraws: bool) -> None:
    stream = io.StringIO()
    line = StatusLine(stream, redraws=redraws)
    line.show(NASTY)
    line.finish(NASTY)
    assert stream.getvalue().count(SHOWN) == 2
    assert "\x1b[31m" not in stream.getvalue()
    Progress(f"rows of {NASTY}", 2, io.StringIO()).show(1)


@pytest.mark.parametrize("name", [NASTY, os.fsdecode(b"cell-\xff.png")])
def test_a_script_shows_a_bad_name_as_numbers_and_has_no_traceback(
    tmp_path: Path, name: str
) -> None:
    folder = make.pairs(tmp_path / "in")
    (folder / name).write_bytes(b"no picture")
    outcome = call("prepare_data", folder, tmp_path / "a.h5", "--image-size", "16")
    assert outcome.status == 2
    assert outcome.told.count("\n") == 1
    assert escaped(name) in outcome.told
    skipping = call("prepare_data", folder, tmp_path / "a.h5", "--on-error", "skip")
    assert skipping.status == 0, skipping.told
    assert f"prepare_data: skipped: Received: {folder}/{escaped(name)} without" in skipping.told
