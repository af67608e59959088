"""A dataclass becomes readable flags, and a wrong flag gets a one-line error."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from ddl import flags
from ddl.flags import Parser, add_flags, complain, given_flags


@dataclass(frozen=True)
class Walk:
    """A walk.

    Attributes:
        start: where it begins.
        hours: how long it takes, 100% of the time.
        rest_min: for a rest; 0 for none.
        map_size: of the map.
        by_night: with a lamp.
        gear: what is carried.
        companion: who comes too.
        food: by kind.
    """

    start: Path
    hours: float = 2.0
    rest_min: float = 0.0
    map_size: tuple[int, ...] | None = None
    by_night: bool = False
    gear: tuple[str, ...] = ("rope", "hat")
    companion: str | None = None
    food: Mapping[str, Any] = field(default_factory=dict)


DOC = """Go for a walk.

    walk.py hut \\
        --hours 3

A long paragraph is wrapped to the width of the terminal, regardless of the line breaks in the docstring itself.
"""


@pytest.fixture
def parser() -> Parser:
    parser = Parser("walk", DOC, "START [flags]")
    add_flags(parser, (Walk,), {"hours": 1.5}, {"companion": ("dog", "cat")})
    return parser


def test_the_help_fits_a_terminal(parser: Parser, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    shown = parser.format_help()
    assert max(map(len, shown.splitlines())) <= 80
    for line in (
        "usage: walk.py START [flags]",
        "  start                 where it begins",
        "  --hours NUMBER        how long it takes, 100% of the time (default: 1.5)",
        "  --rest-min MINUTES    for a rest; 0 for none (default: 0)",
        "  --map-size SIZE       of the map",
        "  --by-night [true|false]",
        "                        with a lamp (default: false)",
        "  --gear [NAME ...]     what is carried (default: rope hat)",
        "  --companion NAME      who comes too: dog, cat",
        "    walk.py hut \\",
        "        --hours 3",
    ):
        assert line in shown.splitlines()


def test_flags_get_their_types(parser: Parser) -> None:
    words = "hut --hours 3 --map-size 64 --by-night yes --gear axe --food nuts=3 --companion dog"
    assert given_flags(vars(parser.parse_args(words.split()))) == {
        "start": Path("hut"),
        "hours": 3.0,
        "map_size": (64, 64),
        "by_night": True,
        "gear": ("axe",),
        "companion": "dog",
        "food": ("nuts=3",),
    }
    assert given_flags(vars(parser.parse_args(["hut"]))) == {"start": Path("hut")}


@pytest.mark.parametrize(
    ("words", "by_night"),
    [
        ("hut --by-night", True),
        ("hut --by-night --hours 3", True),
        ("--by-night hut", True),
        ("--by-night false hut", False),
        ("--by-night=no hut", False),
        ("hut --by-night TRUE", True),
    ],
)
def test_a_true_or_false_flag_alone_means_true(parser: Parser, words: str, by_night: bool) -> None:
    given = given_flags(vars(parser.parse_args(words.split())))
    assert (given["start"], given["by_night"]) == (Path("hut"), by_night)


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ("", "The following arguments are required: start (--help lists all flags)."),
        ("hut --hours", "Argument --hours: expected one argument (--help lists all flags)."),
        ("hut --by-night=maybe", "Received: by_night='maybe'. Expected: true or false."),
        ("hut --by-night --by-night", "Received: --by-night twice. Expected: once."),
        ("hut --hours long", "Received: hours='long'. Expected: a number."),
        ("hut --hours 1 --hours 2", "Received: --hours twice. Expected: once."),
        (
            "hut --hour 1",
            "Received: unknown flag --hour. Expected: --hours; --help lists all flags.",
        ),
        (
            "hut --speed=3",
            "Received: unknown flag --speed. Expected: a flag that --help lists.",
        ),
        (
            "hut --map-size big",
            (
                "Received: map_size='big'. Expected: pixels, such as 128 or 96x128 (height x width), or 32x64x64 "
                "(depth x height x width)."
            ),
        ),
    ],
)
def test_a_wrong_flag_gets_one_line(
    parser: Parser, words: str, line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        parser.parse_args(words.split())
    assert ended.value.code == 2
    assert capsys.readouterr().err == f"walk: {line}\n"


@pytest.mark.parametrize(("rank", "is_ended"), [(0, False), (1, False), (1, True)])
def test_other_ranks_let_rank_0_report_first(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], rank: int, is_ended: bool
) -> None:
    monkeypatch.setattr(flags, "_ROOT_SPEAKS_S", 0.3)
    monkeypatch.setenv("OMPI_COMM_WORLD_SIZE", "2")
    monkeypatch.setenv("OMPI_COMM_WORLD_RANK", str(rank))
    start = time.monotonic()
    assert complain("walk", "no hut", lambda: is_ended) == 2
    waited = time.monotonic() - start >= 0.3
    line = "" if is_ended else "walk (rank 1): no hut\n" if rank else "walk: no hut\n"
    assert (waited, capsys.readouterr().err) == (bool(rank and not is_ended), line)


@pytest.mark.parametrize(
    ("remedy", "named"),
    [
        ("give map_size to fold it", "give --map-size to fold it"),
        ("use rest_min=5.", "use --rest-min 5."),
        ("hours=3, or a companion", "--hours 3, or a companion"),
        ("a start that exists", "a start that exists"),
        ("more hours", "more hours"),  # a word, not a field
        ("plan_map_size or map_sizes", "plan_map_size or map_sizes"),
    ],
)
def test_a_remedy_names_flags_and_what_was_received_stays(
    parser: Parser, remedy: str, named: str
) -> None:
    received = "Received: map_size=5x5x5 and rest_min=1. Expected: "
    assert parser.in_flags(received + remedy) == received + named
    assert parser.in_flags("Expected one of: map_size, rest_min") == (
        "Expected one of: map_size, rest_min"
    )
