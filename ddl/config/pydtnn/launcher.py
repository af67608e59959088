"""Runs a command of PyDTNN: says which command of ddl it stands for, trains, and ends as PyDTNN's launcher does."""

from __future__ import annotations

import datetime
import os
import sys
from dataclasses import dataclass
from pathlib import Path

from ddl.config.pydtnn.flag import GENERATIONS
from ddl.config.pydtnn.screen import Screen
from ddl.config.pydtnn.spelling import NAMES
from ddl.config.pydtnn.table import flags_of, table_of_flags
from ddl.config.pydtnn.translation import Translation, translate
from ddl.distributed.job.launcher import placement, threads_per_rank
from ddl.flags import Parser, add_flags, given_flags
from ddl.options import convert_fields
from ddl.plain_text import tell
from ddl.ranges import check_choices
from ddl.standard_streams import end_output, secure_streams
from ddl.training.plan.plan_flags import command_line, plan_from_flags
from ddl.training.train_command import train_from_flags, training_parser

NAME = "benchmarks_CNN"
DEFAULTS = {"loss": "categorical_crossentropy", "metric": ("top_1",)}


@dataclass(frozen=True)
class Request:
    """Flags of its own.

    Attributes:
        translate: print the command of ddl that these flags stand for, and nothing else.
        generation: read the flags as those of "2020", "1" or "3"; by default the earliest that has all of them.
        run_dir: directory for all outputs of this run; by default a new one, runs/benchmarks_CNN/DATE-TIME.
        flags: print the table of all flags as Markdown: what becomes of each.
    """

    translate: bool = False
    generation: str | None = None
    run_dir: Path | None = None
    flags: bool = False

    def __post_init__(self) -> None:
        convert_fields(self)
        check_choices(vars(self), {"generation": GENERATIONS})


def launcher_parser(doc: str) -> Parser:
    """Return the parser of the launcher's own flags; the help lists PyDTNN's, too."""
    parser = Parser(NAME, doc + _listing(), "[flags of PyDTNN] [-- flags of train_cnn.py]")
    add_flags(parser, (Request,))
    return parser


def _listing() -> str:
    paragraphs = [
        f"Flags of {NAMES[one]}:\n\n" + "\n".join(f"    {flag}" for flag in flags_of(one))
        for one in GENERATIONS
    ]
    return "\n\n" + "\n\n".join(paragraphs)


def launch(parser: Parser, argv: list[str] | None) -> int:
    """Translate the command, train, and return the exit status, as `train_from_flags` does."""
    secure_streams()
    theirs, ours = _parted(sys.argv[1:] if argv is None else list(argv))
    place = placement()
    try:
        arguments, theirs = parser.parse_known_args(theirs)
        request = Request(**given_flags(vars(arguments)))
        if request.flags:
            return _show(table_of_flags())
        translation = translate(theirs, request.generation, place.size)
        defaults = DEFAULTS | translation.fields | {"run_dir": request.run_dir or new_run_dir()}
        training = training_parser(NAME, parser.description or "", defaults)
        own = vars(training.parse_args(ours))
        del own["dry_run"]
        command = command_line(plan_from_flags(own, defaults), place.size)
    except ValueError as error:
        return parser.complain(error)
    if request.translate:
        return _translate_alone(command, translation)
    screen = Screen(_introduction(command, translation), translation.settings)
    return train_from_flags(training, ours, defaults, frame=screen, root_decides=True)


def _parted(words: list[str]) -> tuple[list[str], list[str]]:
    """Return the words before a lone "--", which are PyDTNN's, and those behind it, which are train_cnn.py's."""
    if "--" not in words:
        return words, []
    place = words.index("--")
    return words[:place], words[place + 1 :]


def new_run_dir(now: datetime.datetime | None = None) -> Path:
    """Return $RUN_DIR, or a folder runs/benchmarks_CNN/DATE-TIME that is not there yet."""
    if os.environ.get("RUN_DIR"):
        return Path(os.environ["RUN_DIR"])
    moment = (now or datetime.datetime.now()).strftime("%Y-%m-%d_%H-%M-%S")
    folder = Path("runs", NAME, moment)
    number = 1
    while folder.exists():
        number += 1
        folder = folder.with_name(f"{moment}_{number}")
    return folder


def _introduction(command: str, translation: Translation) -> list[str]:
    """Return lines on the processes, the command that this one stands for, and what is otherwise here."""
    place, generation = placement(), translation.settings.generation
    threads = threads_per_rank(place.local_size)
    return [
        f"**** {place.size} process(es) of {threads} thread(s); flags of {NAMES[generation]}",
        f"**** In ddl: {command}",
        *(f"**** {note}" for note in translation.notes),
    ]


def _translate_alone(command: str, translation: Translation) -> int:
    """Print the command alone; what is otherwise here goes to standard error. Rank 0 speaks for all."""
    if placement().rank:
        return 0
    for note in translation.notes:
        tell(f"{NAME}: {note}")
    return _show(f"{command}\n")


def _show(text: str) -> int:
    sys.stdout.write(text)
    return end_output(NAME)
