"""The command behind scripts/run.py: reads configs, and trains, evaluates or predicts as they say."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ddl.config.json_run.checking.contradictions import APPS
from ddl.config.json_run.dry_run import print_dry_run
from ddl.config.json_run.ordering import Ordered, order_run
from ddl.config.json_run.printing import config_text, origin_lines
from ddl.config.json_run.reading import BadConfig, read_settings
from ddl.config.json_run.schema import schema_text
from ddl.config.json_run.screen import Screen
from ddl.distributed.job.launcher import placement
from ddl.flags import BAD_INPUT, Parser, add_flags, given_flags
from ddl.options import convert_fields
from ddl.plain_text import tell
from ddl.ranges import check_choices
from ddl.standard_streams import end_output, secure_streams
from ddl.training.plan.plan_flags import command_line
from ddl.training.train_command import train_checked

NAME = "run"


@dataclass(frozen=True)
class Request:
    """Run.

    Attributes:
        config: JSON files that describe the run; of several, later ones win key by key.
        set: values that win over the configs, such as data.batch_size=16 or data.slicers.0.strides=[8,8]; null takes
            a key away.
        app: application: "dnn", "pde", "gan" or "obj"; by default that of the config.
        run_dir: directory for all outputs of this run; by default x.run for x.json, or where that exists x-2.run and
            so on, in the working directory. The environment variable RUN_DIR sets it, too.
        resume: resume from the end of an epoch, such as 40; from the newest good checkpoint, or start fresh if there
            is none ("auto"); from the "best" checkpoint; or from a checkpoint file or another run directory.
        dry_run: check config, network and data, print what would be done, and exit.
        print_config: print the config with all values, and the flags that say the same, and exit.
        print_schema: print a JSON Schema of configs for editors, and exit.
    """

    config: tuple[str, ...] = ()
    set: tuple[str, ...] = ()
    app: str | None = None
    run_dir: Path | None = None
    resume: str | None = None
    dry_run: bool = False
    print_config: bool = False
    print_schema: bool = False

    def __post_init__(self) -> None:
        convert_fields(self)
        check_choices({"app": self.app and self.app.lower()}, {"app": APPS})


class ConfigParser(Parser):
    """A parser whose complaints about configs are a line for each problem, which begins with file and line."""

    def parse_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Return the values of the flags. "--config= x.json" is taken for "--config=x.json"."""
        words = list(sys.argv[1:] if args is None else args)
        for number in range(len(words) - 1, 0, -1):
            if words[number - 1] == "--config=" and not words[number].startswith("--"):
                words[number - 1 : number + 1] = [f"--config={words[number]}"]
        return super().parse_args(words, namespace)

    def complain(self, problem: object, is_ended: Callable[[], object] = bool) -> int:
        """Print the lines of a `BadConfig`, and one line for all else; return status 2."""
        if not isinstance(problem, BadConfig) or placement().rank:
            return super().complain(problem, is_ended)
        for line in problem.lines:
            tell(line)
        return BAD_INPUT


def run_parser(doc: str) -> Parser:
    """Return the parser of scripts/run.py."""
    parser = ConfigParser(NAME, doc, "--config=FILE [flags]")
    add_flags(parser, (Request,), known={"app": APPS})
    return parser


def launch(parser: Parser, argv: list[str] | None) -> int:
    """Do what the configs say. Return the exit status, as `train_from_flags` does."""
    secure_streams()
    arguments = vars(parser.parse_args(argv))
    try:
        request = Request(**given_flags(arguments))
        if request.print_schema:
            return _show(schema_text())
        if not request.config:
            raise ValueError("Received: no --config. Expected: --config=FILE, a JSON file.")
        settings = read_settings(request.config, request.set, request.app and request.app.lower())
        ordered = order_run(settings, request.config[0], _run_dir(request), request.resume)
    except ValueError as error:
        return parser.complain(error)
    if request.print_config:
        return _print_config(ordered)
    return train_checked(
        parser,
        ordered.check,
        shares=True,  # ranks may see different run directories
        dry_run=(lambda _, order: print_dry_run(ordered, order)) if request.dry_run else None,
        frame=Screen(ordered),
    )


def _run_dir(request: Request) -> Path | None:
    """Return the run directory that the command asks for, None without one."""
    if request.run_dir is None and os.environ.get("RUN_DIR"):
        return Path(os.environ["RUN_DIR"])
    return request.run_dir


def _print_config(ordered: Ordered) -> int:
    """Print the config to standard output, and the flags' command and where values came from to standard error."""
    if placement().rank:
        return 0
    for note in ordered.notes:
        tell(note)
    tell(f"{NAME}: in flags: {command_line(ordered.plan, placement().size)}")
    for line in origin_lines(ordered.settings):
        tell(f"{NAME}: {line}")
    return _show(config_text(ordered.settings, ordered.base))


def _show(text: str) -> int:
    if placement().rank:
        return 0
    sys.stdout.write(text)
    return end_output(NAME)
