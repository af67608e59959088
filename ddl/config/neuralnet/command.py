"""The command behind scripts/run_neuralnet.py: a prototxt file and rows of text in, a training run out."""

from __future__ import annotations

import datetime
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ddl.config.neuralnet.placing import become, check_place, launch_words
from ddl.config.neuralnet.screen import ACCURACY, Screen
from ddl.config.neuralnet.table import FLAGS, table_of_flags
from ddl.config.neuralnet.translation import Translation, translate
from ddl.config.neuralnet.words import Settings, read_words
from ddl.data.sources import parse_source_options, splits_of
from ddl.distributed.job.launcher import placement
from ddl.files import read_text
from ddl.flags import BAD_INPUT, Parser, add_flags, given_flags
from ddl.models.network.prototxt import NeuralNet, read_neuralnet
from ddl.plain_text import tell
from ddl.standard_streams import end_output, secure_streams
from ddl.training.checked_plan import Order
from ddl.training.data.training_data import open_data
from ddl.training.plan.plan_flags import command_line
from ddl.training.train_command import (
    check_flags,
    naming_files,
    print_plan,
    train_checked,
    training_parser,
)

NAME = "run_neuralnet"


@dataclass(frozen=True)
class Request:
    """Flags of its own.

    Attributes:
        flags: print the table of flags with one dash as Markdown: what becomes of each.
    """

    flags: bool = False


class LinesParser(Parser):
    """A parser whose complaints about a prototxt are a line for each problem."""

    def complain(self, problem: object, is_ended: Any = bool) -> int:
        """Print each line of the problem; return status 2."""
        lines = str(problem).splitlines()
        if len(lines) < 2 or placement().rank:
            return super().complain(problem, is_ended)
        for line in lines:
            tell(f"{self.name}: {line}")
        return BAD_INPUT


def neuralnet_parser(doc: str) -> Parser:
    """Return the parser of `ddl`'s own flags; the help lists the others, too."""
    listing = "\n".join(
        f"    -{flag.name:<20}{(flag.to or f'without effect: {flag.idle}').replace('`', '')}"
        for flag in FLAGS.values()
    )
    text = f"{doc}\n\nFlags with one dash:\n\n{listing}"
    parser = training_parser(
        NAME, text, {"run_dir": Path("runs/neuralnet/DATE-TIME")}, kind=LinesParser
    )
    add_flags(parser, (Request,))
    return parser


def launch(parser: Parser, argv: list[str] | None) -> int:
    """Do what the command says. Return the exit status, as `train_from_flags` does."""
    secure_streams()
    words = sys.argv[1:] if argv is None else list(argv)
    try:
        settings = read_words(words)
        arguments = vars(parser.parse_args(list(settings.ours)))
        if arguments.pop("flags"):
            return _show(table_of_flags())
        dry_run = arguments.pop("dry_run")
        net = read_conf(settings["conf"])
        translation = translate(settings, net)
        given, defaults = combine(translation, given_flags(arguments))
        mode = given.get("parallel", defaults["parallel"])
        ranks = check_place(settings, net.provider, mode, placement(), given.get("ray_address"))
        command = launch_words(ranks, [sys.argv[0], *words]) if ranks and not dry_run else []
    except ValueError as error:
        return parser.complain(error)
    if command:
        become(command)
    screen = Screen([])
    defaults.setdefault("run_dir", new_run_dir())

    def check() -> Order:
        order = _check(settings, translation, given, defaults)
        screen.introduction[:] = introduction(settings, net, translation, order, ranks)
        return order

    return train_checked(
        parser,
        check,
        shares=True,  # run directories with the time in their names differ
        profiles=bool(given.get("profile")),
        dry_run=(lambda name, order: _dry_run(name, order, screen)) if dry_run else None,
        frame=screen,
    )


def read_conf(conf: str) -> NeuralNet:
    """Return what a prototxt file says.

    Raises:
        ValueError: it cannot be read; the message names the line.
    """
    try:
        with naming_files():
            text = read_text(Path(conf))
    except UnicodeDecodeError as error:
        raise ValueError(
            f"Received: {conf}, which is not UTF-8 ({error.reason}). Expected: a prototxt file."
        ) from None
    return read_neuralnet(text, conf)


def combine(
    translation: Translation, flags: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the given and the default fields of a plan from the command and `ddl`'s own flags.

    Raises:
        ValueError: they contradict each other.
    """
    given = dict(flags)
    for name, (value, origin) in translation.fixed.items():
        if given.get(name, value) != value:
            flag = name.replace("_", "-")
            raise ValueError(
                f"Received: --{flag} {given[name]}, but {origin} says {value}. Expected: the same, or no --{flag}."
            )
        if name == "per_rank_batch_size" and (whole := given.get("global_batch_size")):
            if whole % value == 0:  # the file's batch on so many ranks, which elastic.py may change
                continue
            raise ValueError(
                f"Received: --global-batch-size {whole}, but {origin} says {value} for each "
                "rank. Expected: a multiple of it, which stands for as many ranks; or change the file."
            )
        given[name] = value
    if ACCURACY not in given.get("metric", (ACCURACY,)):
        raise ValueError(
            f"Received: --metric {' '.join(given['metric'])}. Expected: {ACCURACY} among them, from which the errors "
            "are counted."
        )
    for name, texts in translation.options.items():
        given[name] = (*texts, *given.get(name, ()))
    return given, dict(translation.defaults)


def _check(
    settings: Settings, translation: Translation, given: dict[str, Any], defaults: dict[str, Any]
) -> Order:
    """Return the checked plan; without rows for validation it has no validation."""
    if not {"validation_part", "validation_data"} & {*given}:
        options = parse_source_options(settings["input"], given["data_option"])
        if "validation" not in splits_of(settings["input"], options):
            defaults["validation_part"] = 0.0
    return check_flags(given, defaults, open_data)


def new_run_dir(now: datetime.datetime | None = None) -> Path:
    """Return $RUN_DIR, or a folder runs/neuralnet/DATE-TIME that is not there yet."""
    if os.environ.get("RUN_DIR"):
        return Path(os.environ["RUN_DIR"])
    moment = (now or datetime.datetime.now()).strftime("%Y-%m-%d_%H-%M-%S")
    folder = Path("runs", "neuralnet", moment)
    number = 1
    while folder.exists():
        number += 1
        folder = folder.with_name(f"{moment}_{number}")
    return folder


def introduction(
    settings: Settings, net: NeuralNet, translation: Translation, order: Order, ranks: int
) -> list[str]:
    """Return lines on what the command stands for, and on what is otherwise here."""
    plan = order.plan
    count = ranks or placement().size
    provider = net.provider or "no parameter_provider"
    who = f"{count} {'rank' if count == 1 else 'ranks'}"
    if plan.parallel == "async":
        who = f"{plan.workers} {'worker' if plan.workers == 1 else 'workers'}"
    length = f"{plan.epochs} iterations in at most {plan.time_limit_min * 60:g} s"
    return [
        f"{settings['conf']}: {provider}, parallel {plan.parallel}, {who}, {length}",
        f"In ddl: {command_line(plan, count)}",
        *(f"{settings['conf']}: {note}" for note in translation.notes),
    ]


def _dry_run(name: str, order: Order, screen: Screen) -> None:
    for line in screen.introduction:
        tell(f"{name}: {line}")
    print_plan(name, order)


def _show(text: str) -> int:
    if placement().rank == 0:
        sys.stdout.write(text)
    return end_output(NAME)
