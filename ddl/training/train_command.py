"""The command line shared by the training scripts: parse flags, train, return an exit status."""

from __future__ import annotations

import atexit
import contextlib
import dataclasses
import logging
import os
import sys
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import ddl.distributed as dist
from ddl.data.pictures.picture_file import silence_decoders
from ddl.data.summary import tell_summary
from ddl.distributed.job.launcher import placement
from ddl.distributed.job.quiet import loading_tensorflow
from ddl.distributed.on_ranks import on_all
from ddl.distributed.timing.timeline import prepare_timeline
from ddl.flags import BAD_INPUT, Parser, add_flags, given_flags
from ddl.plain_text import tell
from ddl.standard_streams import end_output
from ddl.training.checked_plan import Opener, Order, check_plan
from ddl.training.checkpoint.resumed_plan import resumed_values
from ddl.training.data.training_data import open_data
from ddl.training.plan.asked_plan import is_asked, write_asked
from ddl.training.plan.fields import SECTIONS
from ddl.training.plan.plan import NAMES, plan_from_dict
from ddl.training.plan.plan_flags import alias_note, plan_from_flags
from ddl.training.stop_request import StopRequest, ignore_signals
from ddl.training.stops import Diverged, Interrupted, Unsaved

if TYPE_CHECKING:
    from ddl.training.callbacks import Callbacks
    from ddl.training.run_setup import Setup

UNSAVED = 1
DIVERGED = 4
REQUEUE = 75
"""EX_TEMPFAIL of sysexits.h: start the same command again with --resume auto."""
AT_ONCE = 130


@dataclass(frozen=True, kw_only=True)
class Trial:
    """Trial.

    Attributes:
        dry_run: validate flags and data, print the plan as JSON, and exit.
    """

    dry_run: bool = False


class Frame:
    """What a script says before and after its training. All ranks call both methods."""

    def before(self, setup: Setup) -> Callbacks:
        """Say what will be trained, and return callbacks that say more during it."""
        return ()

    def after(self, setup: Setup) -> None:
        """Say what came out."""


logger = logging.getLogger("ddl")

OPEN_DATA_FIELDS = (
    *("data", "data_option", "validation_data", "validation_part", "fold", "test_data"),
    *("image_size", "classes", "cache", "slicer", "assembled_output", "assembled_precision"),
    *("target_data", "target_data_option", "validation_target_data", "test_target_data"),
    *("transform", "input_transform", "target_transform"),
)
"""Plan fields that only `open_data` reads. A script with its own opener has no flags for them."""


def training_parser(
    name: str,
    doc: str,
    defaults: Mapping[str, Any],
    without: Collection[str] = (),
    kind: type[Parser] = Parser,
    sections: Sequence[type] = SECTIONS,
) -> Parser:
    """Return a parser with one flag for every field of a plan, and --dry-run.

    Args:
        name: name of the script.
        doc: the script's docstring.
        defaults: the script's own defaults of plan fields.
        without: plan fields that the script does not read and has no flags for, such as `OPEN_DATA_FIELDS`.
        kind: class of the parser.
        sections: dataclasses with the fields of the plan that it has flags for.
    """
    parser = kind(name, doc, "[flags]")
    add_flags(parser, sections, {"run_dir": default_run_dir(name), **defaults}, NAMES, without)
    add_flags(parser, (Trial,))
    return parser


def default_run_dir(script: str) -> Path:
    """Return the run directory of a script that is given none: $RUN_DIR, or runs/unet for train_unet."""
    return Path(os.environ.get("RUN_DIR") or Path("runs", script.removeprefix("train_")))


def train_from_flags(
    parser: Parser,
    argv: list[str] | None,
    defaults: Mapping[str, Any],
    opener: Opener = open_data,
    *,
    frame: Frame | None = None,
    root_decides: bool = False,
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
        frame: what to say before and after the training.
        root_decides: whether all ranks take the plan of rank 0, for defaults that may differ, such as a time.
    """
    arguments = vars(parser.parse_args(argv))
    dry_run = arguments.pop("dry_run")
    given = given_flags(arguments)
    defaults = {"run_dir": default_run_dir(parser.name), **defaults}
    return train_checked(
        parser,
        lambda: check_flags(given, defaults, opener),
        opener,
        # With --resume, only rank 0 reads the run's folder, which other machines may not see.
        shares=root_decides or "resume" in given,
        profiles=bool({**defaults, **given}.get("profile")),
        dry_run=print_plan if dry_run else None,
        frame=frame,
    )


def train_checked(
    parser: Parser,
    check: Callable[[], Order],
    opener: Opener = open_data,
    *,
    shares: bool = False,
    profiles: bool = False,
    dry_run: Callable[[str, Order], None] | None = None,
    frame: Frame | None = None,
) -> int:
    """Check, and train; return the exit status, or exit the process with it, as `train_from_flags` does.

    Args:
        parser: names the script in messages, and the flags in their remedies.
        check: returns the plan and its data, before TensorFlow is loaded. Its ValueErrors are the user's.
        opener: opens the data of a plan on ranks that do not check.
        shares: whether only rank 0 checks, and all ranks take its plan.
        profiles: whether the plan may have `profile`.
        dry_run: prints what was checked, on rank 0, in place of training.
        frame: what to say before and after the training.
    """
    waits = shares and placement().rank != 0
    order: Order | None = None
    silence_decoders()
    with StopRequest() as stop:  # early, so that no signal interrupts the import of TensorFlow
        try:
            if not waits:
                with naming_files():
                    order = check()
            if order is not None and is_asked():
                write_asked(order.plan, order.checkpoint.facts if order.checkpoint else None)
                return 0
            if dry_run is not None:
                if placement().rank == 0 and order:
                    dry_run(parser.name, order)
                return end_output(parser.name)
            _join(profiles)
        except ValueError as error:
            return parser.complain(error, lambda: stop.signal)
        except KeyboardInterrupt as end:
            _end(parser.name, end)
        return _train(parser, order, shares, opener, stop, frame or Frame())


def print_plan(name: str, order: Order) -> None:
    """Print what was read to stderr, and the plan as JSON to stdout."""
    tell_summary(name, order.data.describe(order.plan))
    if order.note:
        tell(f"{name}: {order.note}")
    sys.stdout.write(order.plan.to_json())


def check_flags(given: Mapping[str, Any], defaults: Mapping[str, Any], opener: Opener) -> Order:
    """Return the plan that flags describe, checked, and its opened data. TensorFlow is not loaded yet."""
    if "resume" in given:
        run_dir = given.get("run_dir", defaults["run_dir"])
        defaults = {**defaults, **resumed_values(run_dir, given["resume"], given)}
    order = check_plan(plan_from_flags(given, defaults), opener, may_grow="epochs" not in given)
    notes = alias_note(given.get("model")), order.note
    return dataclasses.replace(order, note=" ".join(filter(None, notes)))


def _join(profiles: bool) -> None:
    """Initialize Horovod and import TensorFlow, which takes seconds."""
    if profiles:
        prepare_timeline()
    logging.basicConfig(format="%(message)s", level=logging.INFO, stream=sys.stdout)
    dist.init()
    # A late signal must not change the exit status of a finished run.
    atexit.register(ignore_signals)
    with loading_tensorflow():
        import ddl.training.loop  # noqa: F401


def _train(
    parser: Parser,
    order: Order | None,
    shares: bool,
    opener: Opener,
    stop: StopRequest,
    frame: Frame,
) -> int:
    from ddl.distributed.watch.failure import give_up
    from ddl.training.loop import train_prepared
    from ddl.training.run_setup import set_up
    from ddl.training.steps.bad_data import BadData
    from ddl.training.steps.compilation import Uncompilable

    setup: Setup | None = None
    try:
        if order is None or shares:
            order = _share(order, opener)
        checkpoint = order.checkpoint
        if order.note:
            logger.info("%s", order.note)
        setup = set_up(order.plan, order.data, stop, lambda _: checkpoint)
        train_prepared(setup, frame.before(setup))
        frame.after(setup)
    except BadData as error:
        give_up(rank_problem(parser, error), BAD_INPUT)
    except Uncompilable as error:
        return complain_together(parser, error)
    except ValueError as error:
        if setup is not None:
            raise  # a bug, not bad input: keep the traceback
        return complain_together(parser, error)
    except (Interrupted, Diverged, Unsaved, KeyboardInterrupt) as end:
        _end(parser.name, end)
    return 0


def _share(order: Order | None, opener: Opener) -> Order:
    """Return rank 0's order there; on other ranks rank 0's plan and the data opened by it. All ranks must call it."""
    values = dist.broadcast(order and order.plan.to_dict())

    def open_by_plan() -> Order:
        plan = plan_from_dict(values)
        with naming_files():
            return Order(plan, opener(plan))

    return on_all(lambda: order or open_by_plan())


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


def complain_together(parser: Parser, error: ValueError) -> int:
    """Print the error, which is the same on all ranks, once and with flags in its remedy, as `Parser.complain` does."""
    if dist.is_root():
        tell(f"{parser.name}: {parser.in_flags(str(error))}")
    return BAD_INPUT


def rank_problem(parser: Parser, error: Exception) -> str:
    """Return the line on an error that this rank alone has, with flags in its remedy."""
    return f"{parser.name} (rank {dist.rank()}): {parser.in_flags(str(error))}"


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
