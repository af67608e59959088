"""From a script's flags to a training and an exit status: what the training scripts share."""

from __future__ import annotations

import atexit
import contextlib
import logging
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NoReturn

import ddl.distributed as dist
from ddl.distributed.job.launcher import placement
from ddl.distributed.job.quiet import loading_tensorflow
from ddl.distributed.timing.timeline import prepare_timeline
from ddl.flags import BAD_INPUT, Parser, add_flags, complain
from ddl.training.checkpoint.checkpoint_file import Checkpoint
from ddl.training.checkpoint.find_trained import find_model_file
from ddl.training.checkpoint.resume import find_start
from ddl.training.data.training_data import TrainingData, open_data
from ddl.training.plan.fields import PARTS
from ddl.training.plan.plan import NAMES, Plan
from ddl.training.plan.plan_flags import plan_from_flags
from ddl.training.record.run_dir import check_run_dir
from ddl.training.run import Diverged, Interrupted, Unsaved
from ddl.training.stop_request import StopRequest, ignore_signals

UNSAVED = 1
DIVERGED = 4
REQUEUE = 75
"""EX_TEMPFAIL of sysexits.h: start the same command again with --resume auto."""
AT_ONCE = 130


def training_parser(name: str, doc: str, defaults: Mapping[str, Any]) -> Parser:
    """Return a parser with one flag for every field of a plan, and --dry-run.

    Args:
        name: of the script.
        doc: its docstring.
        defaults: what it has in place of a plan's.
    """
    parser = Parser(name, doc, "--run-dir PATH [flags]")
    add_flags(parser, PARTS, defaults, NAMES)
    parser.add_argument(
        "--dry-run", action="store_true", help="check everything, print the plan, and stop"
    )
    return parser


def train_from_flags(
    parser: Parser,
    argv: list[str] | None,
    defaults: Mapping[str, Any],
    opener: Callable[[Plan], TrainingData] = open_data,
) -> int:
    """Parse, check, train; return the exit status, or end the process with it.

    0: trained. 1: trained, but the model cannot be written. 2: bad input, one line on stderr. 4: the loss is no number
    any more. 75: stopped by a signal or the time limit, with a checkpoint; start again with --resume auto. 130: stopped
    at once by a second Ctrl-C.

    Args:
        parser: what `training_parser` returned.
        argv: the words of the command line, or None for those of this process.
        defaults: what the script has in place of a plan's.
        opener: opens the plan's data; a script with samples of its own gives a function of its own.
    """
    arguments = vars(parser.parse_args(argv))
    dry_run = arguments.pop("dry_run")
    with StopRequest() as stop:  # from the start: a signal must not meet a half-loaded TensorFlow
        try:
            with naming_files():
                plan = plan_from_flags(arguments, defaults)
                checkpoint, data = _check(plan, opener)
            if dry_run:
                sys.stdout.write(plan.to_json())
                return 0
            _join(plan)
        except ValueError as error:
            return complain(parser.name, error, lambda: stop.signal)
        except KeyboardInterrupt as end:
            _end(parser.name, end)
        return _train(parser.name, plan, data, stop, checkpoint)


def _check(
    plan: Plan, opener: Callable[[Plan], TrainingData]
) -> tuple[Checkpoint | None, TrainingData]:
    """Refuse, before TensorFlow loads, whatever can be refused by then; return what was opened for it.

    Returns:
        The checkpoint to resume from (on rank 0, if any), and the data.
    """
    checkpoint = None
    if placement().rank == 0:
        check_run_dir(plan.run_dir, resume=plan.resume is not None)
        if plan.init_weights is not None:
            find_model_file(plan.init_weights)
        checkpoint = find_start(plan)
    return checkpoint, opener(plan)


def _join(plan: Plan) -> None:
    """Join the job, with TensorFlow, which takes seconds."""
    if plan.profile:
        prepare_timeline()
    logging.basicConfig(format="%(message)s", level=logging.INFO, stream=sys.stdout)
    dist.init()
    atexit.register(ignore_signals)  # what ends now has ended well
    with loading_tensorflow():
        import ddl.training.loop  # noqa: F401


def _train(
    name: str, plan: Plan, data: TrainingData, stop: StopRequest, checkpoint: Checkpoint | None
) -> int:
    from ddl.distributed.watch.failure import give_up
    from ddl.training.loop import train_prepared
    from ddl.training.setup import Setup, set_up
    from ddl.training.steps.supervised import BadData

    setup: Setup | None = None
    try:
        setup = set_up(plan, data, stop, checkpoint)
        train_prepared(setup)
    except BadData as error:
        give_up(f"{name} (rank {dist.rank()}): {error}", BAD_INPUT)
    except ValueError as error:
        if setup is not None:
            raise  # a mistake in the program
        return complain_together(name, error)
    except (Interrupted, Diverged, Unsaved, KeyboardInterrupt) as end:
        _end(name, end)
    return 0


def _end(name: str, end: BaseException) -> NoReturn:
    """Say in one line why a training ends before its time, and end the process with the status that says so.

    At once: launchers grant 1 to 5 s between a signal and the kill. Python's own farewell to TensorFlow takes longer.
    """
    from ddl.distributed.watch.failure import give_up

    if isinstance(end, KeyboardInterrupt):  # of this rank alone, perhaps
        give_up(f"{name} (rank {placement().rank}): stopped at once by Ctrl-C.", AT_ONCE)
    ignore_signals()
    sys.stderr.write(f"{name}: {end}\n" if placement().rank == 0 else "")
    dist.shutdown()
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit({Interrupted: REQUEUE, Diverged: DIVERGED}.get(type(end), UNSAVED))


def complain_together(name: str, error: ValueError) -> int:
    """Print one line for all ranks, which have met the same."""
    sys.stderr.write(f"{name}: {error}\n" if dist.is_root() else "")
    return BAD_INPUT


@contextlib.contextmanager
def naming_files() -> Iterator[None]:
    """Turn what the file system refuses (no permission, a name that is too long) into one line."""
    try:
        yield
    except OSError as error:
        if error.filename is None:
            raise
        raise ValueError(
            f"Received: {str(error.filename)[:200]}, which cannot be read ({error.strerror}). Expected: a file or "
            "folder that can."
        ) from error
