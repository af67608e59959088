"""From the words of a command line to a benchmark and an exit status. Imports no TensorFlow."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ddl import options
from ddl.benchmark.runner import TrialError
from ddl.flags import Parser, add_flags, given_flags
from ddl.plain_text import escaped_lines
from ddl.ranges import expected_one_of


@dataclass(frozen=True)
class Command:
    """A subcommand: the "module:class" of its request, which has a flag for each field and `run`; a line of help."""

    request: str
    doc: str


_REQUESTS = "ddl.benchmark.requests"

COMMANDS = {
    "train": Command(f"{_REQUESTS}:TrainRequest", "Training throughput in samples/s."),
    "scaling": Command(f"{_REQUESTS}:ScalingRequest", "N ranks against one rank."),
    "steps": Command("ddl.benchmark.steps:StepsRequest", "Where the time of a training step goes."),
    "allreduce": Command(
        "ddl.benchmark.allreduce:AllreduceRequest",
        "Time and bandwidth of an all-reduce by message size.",
    ),
    "input": Command(f"{_REQUESTS}:InputRequest", "Reading and augmenting, no training."),
    "memory": Command(f"{_REQUESTS}:MemoryRequest", "Memory use, and whether it grows."),
    "checkpoint": Command(f"{_REQUESTS}:CheckpointRequest", "The cost of checkpoints."),
    "startup": Command(
        f"{_REQUESTS}:StartupRequest", "Time from the command to the first step's end."
    ),
    "epochs": Command(
        "ddl.benchmark.epochs:EpochsRequest", "Two run directories compared epoch by epoch."
    ),
    "zoo": Command(
        "ddl.benchmark.zoo.request:ZooRequest", "Training and inference of many models."
    ),
    "modes": Command(
        "ddl.benchmark.modes.request:ModesRequest",
        "Modes of parallel training with one slow rank: loss over time.",
    ),
    "gan": Command(
        "ddl.benchmark.gan.request:GanRequest", "Training throughput of GANs by loss and ranks."
    ),
    "project": Command(
        "ddl.benchmark.projection:ProjectRequest",
        "Projected speed on more ranks and other networks.",
    ),
}
"""A new benchmark needs a request in a module, and a line here."""


@dataclass(frozen=True)
class Launcher:
    """A script with subcommands; `doc` is its docstring, for `--help`."""

    name: str
    doc: str
    commands: Mapping[str, Command]

    def overview(self) -> Parser:
        """Return a parser that knows only the names of the subcommands, for `--help`."""
        width = max(map(len, self.commands)) + 1
        listed = "\n".join(
            f"    {name:<{width}} {command.doc}" for name, command in self.commands.items()
        )
        text = f"{self.doc.rstrip()}\n\nSubcommands:\n\n{listed}"
        parser = Parser(self.name, text, "WHAT [flags]")
        parser.add_argument("what", choices=list(self.commands), help="subcommand to run")
        return parser

    def command_parser(self, name: str) -> Parser:
        """Return the parser of a subcommand, with one flag for each field of its request."""
        command = self.commands[name]
        parser = Parser(self.name, command.doc, f"{name} [flags]")
        add_flags(parser, (options.load(command.request),))
        return parser

    def main(self, argv: list[str] | None) -> int:
        """Parse, check and measure.

        Returns:
            The exit status: 0, 1 for a failed trial, 2 for bad input, 130 for Ctrl-C.
        """
        words = sys.argv[1:] if argv is None else argv
        what = words[0] if words else ""
        if what not in self.commands:
            self.overview().parse_args(words[:1])
        command, parser = self.commands[what], self.command_parser(what)
        arguments = given_flags(vars(parser.parse_args(words[1:])))
        try:
            _request(options.load(command.request), arguments).run()
        except ValueError as error:
            return parser.complain(error)
        except TrialError as error:
            sys.stderr.write(escaped_lines(f"{self.name}: {error}\n"))
            return 1
        except KeyboardInterrupt:
            sys.stderr.write(
                f"{self.name}: stopped by Ctrl-C; the measurement in progress was not written.\n"
            )
            return 130
        return 0


def _request(kind: Any, arguments: dict[str, Any]) -> Any:
    """Return the request, with the options of models, data and augmentation parsed by their types."""
    from ddl.data.sources import SOURCES, detect_format
    from ddl.models.zoo import MODELS
    from ddl.training.plan.plan_flags import parse_augment

    if "model_option" in arguments:
        model = arguments.get("model", kind.model)
        if model not in MODELS:
            raise ValueError(
                f"Received: model_option with model={model!r}. {expected_one_of(model, MODELS)}"
            )
        arguments["model_option"] = MODELS.parse(model, arguments["model_option"])
    if "data_option" in arguments:
        texts, data = arguments["data_option"], arguments.get("data")
        arguments["data_option"] = (
            SOURCES.parse(detect_format(Path(data)), texts) if data else {texts[0]: None}
        )
    if "augment" in arguments:
        arguments["augment"] = parse_augment(arguments["augment"])
    return kind(**arguments)
