"""The command behind scripts/experiments.py: a table of verbs, each with a parser of its own.

A verb is a module with a frozen dataclass `Settings`, whose docstring is the help, and `run(settings) -> int`, which
prints and returns the exit status. Only the module of the verb that is called gets imported.
"""

from __future__ import annotations

import difflib
import errno
import inspect
import sys
from importlib import import_module
from typing import Any

from ddl.experiments.notify.smtp.password import take_from_environment
from ddl.experiments.problem import Unreachable
from ddl.flags import BAD_INPUT, Parser, add_flags, given_flags
from ddl.plain_text import tell
from ddl.standard_streams import end_output

SOMETHING_FAILED = 3
"""Exit status where something that is wanted has failed; bad input ends with 2."""

INTERRUPTED = 130

NAME = "experiments"

VERBS = {
    "plan": "show the experiments of a spec and how they differ; writes nothing",
    "add": "put the experiments of a spec into its store",
    "submit": "hand experiments over to their machines",
    "sync": "see once what has become of them, and do what is due",
    "manage": "repeat sync until all have ended",
    "status": "a line for each experiment",
    "show": "all about one experiment",
    "watch": "status again and again, and what is new",
    "log": "the output of an experiment",
    "compare": "what differs between experiments: settings, code, results",
    "table": "all experiments with their settings and results, as a table or CSV",
    "plot": "curves of experiments in one picture",
    "stop": "end experiments with a checkpoint",
    "pause": "stop experiments until resume",
    "resume": "continue what was paused or stopped",
    "retry": "try again what has failed",
    "remove": "take experiments out of the store",
    "diagnose": "what is wrong with a training run, and which flag helps",
    "nodes": "GPUs, cores, memory, disk and queue of each machine",
    "preflight": "check whether experiments could start where they should",
    "report": "write report.html, one file that can be mailed",
    "serve": "a live page on this machine",
    "notify": "send what is due, or a trial mail",
    "doctor": "check this machine, the nodes and the store",
}


def main(doc: str, argv: list[str] | None) -> int:
    """Run a verb. Return the exit status: 0, 2 for bad input, 3 where something wanted has failed, 130 for Ctrl-C."""
    take_from_environment()  # no job that a verb starts inherits the mail server's password
    words = sys.argv[1:] if argv is None else list(argv)
    if not words or words[0] in ("-h", "--help"):
        sys.stdout.write(_overview(doc))
        return end_output(NAME) if words else BAD_INPUT
    verb, *rest = words
    if verb not in VERBS:
        tell(f"{NAME}: {_unknown(verb)}")
        return BAD_INPUT
    module = import_module(f"ddl.experiments.verbs.{verb}")
    parser = verb_parser(verb, module.Settings)
    values = given_flags(vars(parser.parse_args(rest)))
    try:
        status = int(module.run(module.Settings(**values)))
    except Unreachable as error:
        tell(f"{NAME} {verb}: {error}")
        return SOMETHING_FAILED
    except (ValueError, OSError) as error:
        return parser.complain(_in_words(error))
    except KeyboardInterrupt:
        tell(f"{NAME} {verb}: stopped by Ctrl-C.")
        return INTERRUPTED
    return end_output(NAME) or status


def verb_parser(verb: str, settings: type) -> Parser:
    """Return the parser of a verb's settings."""
    doc = (inspect.getdoc(settings) or "").partition("Attributes:")[0]
    parser = Parser(f"{NAME} {verb}", doc, "[arguments] [flags]")
    parser.prog = f"{NAME}.py {verb}"
    add_flags(parser, (settings,))
    return parser


def _in_words(error: Any) -> str:
    if not isinstance(error, OSError) or not error.strerror:
        return str(error)
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        where = f"{error.filename}: " if error.filename else ""
        return f"Received: {where}{error.strerror}. Expected: free space on the disk of the store; then say it again."
    return f"Received: {error.filename or 'a file'}: {error.strerror}. Expected: a path that can be read and written."


def _overview(doc: str) -> str:
    lines = [f"  {verb:10} {what}\n" for verb, what in VERBS.items()]
    return f"{doc.strip()}\n\nVerbs (VERB --help says more):\n{''.join(lines)}"


def _unknown(verb: str) -> str:
    near = difflib.get_close_matches(verb, VERBS, 1)
    expected = f"{near[0]}; --help lists all verbs" if near else "a verb that --help lists"
    return f"Received: unknown verb {verb}. Expected: {expected}."
