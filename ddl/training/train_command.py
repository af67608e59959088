"""The command line shared by the training scripts: parse flags, train, return an exit status."""

from __future__ import annotations

import atexit
import contextlib
import logging
import os
import sys
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any, NoReturn

import ddl.distributed as dist
from ddl.distributed.job.launcher import placement
from ddl.distributed.job.quiet import loading_tensorflow
from ddl.distributed.timing.timeline import prepare_timeline
from ddl.flags import BAD_INPUT, Parser, add_flags, complain
from ddl.plain_text import tell
from ddl.standard_streams import end_output
from ddl.training.checkpoint.checkpoint_file import Checkpoint
from ddl.training.checkpoint.find_trained import find_model_file
from ddl.training.checkpoint.resume import find_start
from ddl.training.data.training_data import TrainingData, open_data
from ddl.training.plan.fields import SECTIONS
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

OPEN_DATA_FIELDS = (
    *("data", "data_option", "validation_data", "validation_part", "fold"),
    *("image_size", "classes", "cache"),
)
"""Plan fields that only `open_data` reads. A script with its own opener has no flags for them."""


def training_parser(
    name: str, doc: str, defaults: Mapping[str, Any], without: Collection[str] = ()
) -> Parser:
    """Return a parser with one flag for every field of a plan, and --dry-run.

    Args:
        name: name of the script.
        doc: the script's docstring.
        defaults: the script's own defaults of plan fields.
        without: plan fields that the script does not read and has no flags for, such as `OPEN_DATA_FIELDS`.
    """
    parser = Parser(name, doc, "--run-dir PATH [flags]")
    add_flags(parser, SECTIONS, defaults, NAMES, without)
    parser.add_argument(
        "--dry-run",
        action="store_true",
        help="validate flags and data, print the plan as JSON, and exit",
    )
    return parser


def train_from_flags(
    parser: Parser,
    argv: list[str] | None,
    defaults: Mapping[str, Any],
    opener: Callable[[Plan], TrainingData] = open_data,
) -> int:
    """Parse, validate and train; return the exit status, or exit the process with it.

    0: training finished. 1: training finished, but the model could not be written. 2: bad input, one line on stderr.
    4: the loss became NaN or infinite. 75: stopped by a signal or the time limit after writing a checkpoint; resume
    with --resume auto. 130: stopped at once by a second Ctrl-C.

    Args:
        parser: the result of `training_parser`.
        argv: command-line arguments; None uses those of this process.
        defaults: the script's own defaults of plan fields.
        opener: opens the plan's data; pass your own to train on your own `Source`, and `OPEN_DATA_FIELDS` to
            `training_parser` if it does not read them.
    """
    arguments = vars(parser.parse_args(argv))
    dry_run = arguments.pop("dry_run")
    with StopRequest() as stop:  # early, so that no signal interrupts the import of TensorFlow
        try:
            with naming_files():
                plan = plan_from_flags(arguments, defaults)
                checkpoint, data = _check(plan, opener)
            if dry_run:
                sys.stdout.write(plan.to_json())
                return end_output(parser.name)
            _join(plan)
        except ValueError as error:
            return complain(parser.name, error, lambda: stop.signal)
        except KeyboardInterrupt as end:
            _end(parser.name, end)
        return _train(parser.name, plan, data, stop, checkpoint)


def _check(
    plan: Plan, opener: Callable[[Plan], TrainingData]
) -> tuple[Checkpoint | None, TrainingData]:
    """Return the checkpoint to resume from (on rank 0 only) and the opened data. TensorFlow is not loaded yet."""
    checkpoint = None
    if placement().rank == 0:
        check_run_dir(plan.run_dir, resume=plan.resume is not None)
        if plan.init_weights is not None:
            find_model_file(plan.init_weights)
        checkpoint = find_start(plan)
    return checkpoint, opener(plan)


def _join(plan: Plan) -> None:
    """Initialize Horovod and import TensorFlow, which takes seconds."""
    if plan.profile:
        prepare_timeline()
    logging.basicConfig(format="%(message)s", level=logging.INFO, stream=sys.stdout)
    dist.init()
    # A late signal must not change the exit status of a finished run.
    atexit.register(ignore_signals)
    with loading_tensorflow():
        import ddl.training.loop  # noqa: F401


def _train(
    name: str, plan: Plan, data: TrainingData, stop: StopRequest, checkpoint: Checkpoint | None
) -> int:
    from ddl.distributed.watch.failure import give_up
    from ddl.training.loop import train_prepared
    from ddl.training.run_setup import Setup, set_up
    from ddl.training.steps.supervised import BadData

    setup: Setup | None = None
    try:
        setup = set_up(plan, data, stop, lambda _: checkpoint)
        train_prepared(setup)
    except BadData as error:
        give_up(f"{name} (rank {dist.rank()}): {error}", BAD_INPUT)
    except ValueError as error:
        if setup is not None:
            raise  # a bug, not bad input: keep the traceback
        return complain_together(name, error)
    except (Interrupted, Diverged, Unsaved, KeyboardInterrupt) as end:
        _end(name, end)
    return 0


def _end(name: str, end: BaseException) -> NoReturn:
    """Print one line on why training stopped early, and exit with the matching status.

    Uses `os._exit`: launchers allow 1 to 5 s between a signal and the kill, and a normal shutdown of TensorFlow takes
    longer.
    """
    from ddl.distributed.watch.failure import give_up

    if isinstance(end, KeyboardInterrupt):  # perhaps on this rank only: wait for no other
        give_up(f"{name} (rank {placement().rank}): stopped at once by Ctrl-C.", AT_ONCE)
    ignore_signals()
    if placement().rank == 0:
        tell(f"{name}: {end}")
    dist.shutdown()
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit({Interrupted: REQUEUE, Diverged: DIVERGED}.get(type(end), UNSAVED))


def complain_together(name: str, error: ValueError) -> int:
    """Print the error, which is the same on all ranks, once."""
    if dist.is_root():
        tell(f"{name}: {error}")
    return BAD_INPUT


@contextlib.contextmanager
def naming_files() -> Iterator[None]:
    """Turn an OSError that names a file (no permission, name too long) into a one-line ValueError."""
    try:
        yield
    except OSError as error:
        if error.filename is None:
            raise
        raise ValueError(
            f"Received: {str(error.filename)[:200]}, which cannot be read ({error.strerror}). Expected: a readable "
            "file or folder."
        ) from error
