"""From the words of a command line to a benchmark and an exit status. No TensorFlow here."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ddl import options
from ddl.benchmark.runner import TrialError
from ddl.flags import Parser, add_flags, complain, given_flags


@dataclass(frozen=True)
class Command:
    """A subcommand.

    Attributes:
        request: "module:class" of what it is asked: a dataclass, a flag for each field.
        run: "module:function" that takes one, prints, and writes where it is told to.
        doc: what it does, in a line.
    """

    request: str
    run: str
    doc: str


COMMANDS = {
    name: Command(f"ddl.benchmark.{request}", f"ddl.benchmark.answers:{run}", doc)
    for name, request, run, doc in (
        ("train", "data_requests:TrainRequest", "measure", "Samples a second of a training."),
        ("scaling", "requests:ScalingRequest", "measure", "N ranks against one."),
        (
            "limit",
            "requests:LimitRequest",
            "measure",
            "Ranks that never talk, held to the slowest.",
        ),
        ("loop", "requests:LoopRequest", "measure", "Our loop against a bare fit on one rank."),
        ("precision", "requests:PrecisionRequest", "measure", "Mixed precision against float32."),
        ("input", "data_requests:InputRequest", "measure", "Reading and augmenting alone."),
        ("allreduce", "wire_report:WireRequest", "reduce", "All-reduce by size of message."),
        ("steps", "requests:StepsRequest", "steps", "Where the time of a step goes."),
        ("checkpoint", "requests:CheckpointRequest", "measure", "What checkpoints cost."),
        ("extras", "extras:ExtrasRequest", "extras", "What metrics and desync checks cost."),
        ("startup", "requests:StartupRequest", "measure", "From the command to the first step."),
        ("memory", "data_requests:MemoryRequest", "measure", "Memory, and whether it grows."),
        ("peers", "requests:PeersRequest", "measure", "Against Horovod as people use it."),
        ("stall", "requests:StallRequest", "measure", "What comes after an epoch's last step."),
        ("spin", "requests:SpinRequest", "measure", "MPI's waiting, spinning and yielding."),
        ("epochs", "epochs:EpochsRequest", "epochs", "Two runs' histories, epoch by epoch."),
        ("suite", "suite:SuiteRequest", "suite", "All of benchmarks/definitions.json, in a table."),
        ("project", "projection:ProjectRequest", "project", "More ranks, other networks."),
    )
}


def command_parser(name: str) -> Parser:
    """Return the parser of a subcommand, with one flag for every field of its request."""
    command = COMMANDS[name]
    parser = Parser("benchmark", command.doc, f"{name} [flags]")
    add_flags(parser, (options.load(command.request),))
    return parser


def overview(doc: str) -> Parser:
    """Return a parser that knows the subcommands' names alone, for --help."""
    listed = "\n".join(f"    {name:<11} {command.doc}" for name, command in COMMANDS.items())
    parser = Parser("benchmark", f"{doc}\n\nWhat can be measured:\n\n{listed}", "WHAT [flags]")
    parser.add_argument("what", choices=list(COMMANDS), help="what is measured")
    return parser


def benchmark_from_flags(doc: str, argv: list[str] | None) -> int:
    """Parse, check, measure; return the exit status: 0, 2 for bad input, 130 for Ctrl-C."""
    words = sys.argv[1:] if argv is None else argv
    what = words[0] if words else ""
    if what not in COMMANDS:
        overview(doc).parse_args(words[:1])
    command, parser = COMMANDS[what], command_parser(what)
    arguments = given_flags(vars(parser.parse_args(words[1:])))
    try:
        request = _request(command, arguments)
        run: Callable[[Any], None] = options.load(command.run)
        run(request)
    except ValueError as error:
        return complain(parser.name, error)
    except TrialError as error:
        sys.stderr.write(f"{parser.name}: {error}\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write(
            "benchmark: stopped by Ctrl-C; nothing was written of what was under way.\n"
        )
        return 130
    return 0


def _request(command: Command, arguments: dict[str, Any]) -> Any:
    """Return what was asked, options of models parsed by their types."""
    from ddl.data.sources import SOURCES, detect_format
    from ddl.models.zoo import MODELS
    from ddl.training.flags import parse_augment

    kind = options.load(command.request)
    if "model_option" in arguments:
        model: Any = arguments.get("model", getattr(kind, "model", None))
        if model not in MODELS:
            raise ValueError(
                f"Received: model_option with model={model!r}. Expected: one of: {', '.join(MODELS)}."
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
