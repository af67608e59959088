"""The command behind scripts/replay.py. All that needs no weights is checked before TensorFlow loads."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ddl.distributed as dist
from ddl.asynchronous.audit.check import Differs, Extent, check_log
from ddl.asynchronous.audit.log import NAME, plan_digest
from ddl.asynchronous.epoch_leases import leases_before
from ddl.data.order import Position
from ddl.data.pictures.picture_file import silence_decoders
from ddl.distributed.job.launcher import placement
from ddl.distributed.job.quiet import loading_tensorflow
from ddl.flags import Parser, given_flags
from ddl.plain_text import escaped, tell
from ddl.progress import Progress
from ddl.standard_streams import end_output
from ddl.training.checkpoint.checkpoint_file import open_checkpoint
from ddl.training.checkpoint.checkpoint_folder import FOLDER, list_checkpoints
from ddl.training.checkpoint.find_trained import FINAL, read_plan
from ddl.training.data.training_data import open_data
from ddl.training.plan.plan import Plan
from ddl.training.plan.stored_plan import StoredPlan
from ddl.training.train_command import naming_files

if TYPE_CHECKING:
    from ddl.asynchronous.audit.replay import Report

DIFFERS = 1
INTERRUPTED = 130


@dataclass(frozen=True)
class Replaying:
    """What is replayed.

    Attributes:
        run: directory of a run that trained with --parallel async.
        data: training data that have moved since.
        json: print the result as JSON.
    """

    run: Path
    data: str | None = None
    json: bool = False


@dataclass(frozen=True)
class Found:
    """A run whose log has passed the checks that need no weights.

    Attributes:
        files: version -> the checkpoint there.
        facts: of the newest of them.
        final: the final model, if the log ends with the run.
    """

    plan: Plan
    extent: Extent
    files: dict[int, Path]
    facts: dict[str, Any] | None
    final: Path | None


def replay_from_flags(parser: Parser, argv: list[str] | None) -> int:
    """Run replay.py. Return 0 for equal weights, 1 where something differs, 2 for bad input, 130 for Ctrl-C."""
    asked = Replaying(**given_flags(vars(parser.parse_args(argv))))
    silence_decoders()
    begin = time.monotonic()
    try:
        with naming_files():
            found = find_run(asked.run, asked.data)
            data = open_data(found.plan)
        dist.init()
        with loading_tensorflow():
            from ddl.asynchronous.audit.replay import Material, replay
        material = Material(
            asked.run,
            found.plan,
            data,
            found.extent,
            found.files,
            found.facts,
            found.final,
        )
        with _progress(found.extent.updates) as show:
            report = replay(material, show)
    except Differs as error:
        return _tell_early(parser, asked, error)
    except ValueError as error:
        return parser.complain(error)
    except KeyboardInterrupt:
        tell(f"\n{parser.name}: interrupted; nothing was written.")
        return INTERRUPTED
    _tell(asked, report, found.extent, time.monotonic() - begin)
    return end_output(parser.name) or (0 if report.is_equal else DIFFERS)


def find_run(run_dir: Path, data: str | None = None) -> Found:
    """Read the plan and the log of a run, and find what its weights can be compared with.

    Raises:
        ValueError: there is no such run, or its log is damaged or of another plan.
        Differs: the log cannot be what happened; names the line.
    """
    if placement().size > 1:
        raise ValueError(
            f"Received: replay.py on {placement().size} ranks. Expected: one process, without a launcher."
        )
    if not run_dir.is_dir():
        raise ValueError(f"Received: {run_dir}, which is no folder. Expected: a run directory.")
    plan = read_plan(run_dir)
    if not (run_dir / NAME).exists():
        raise ValueError(
            f"Received: {run_dir}, a run with parallel={plan.parallel} without {NAME}. Expected: a run that trained "
            "with --parallel async."
        )
    if isinstance(plan, StoredPlan):
        raise ValueError(
            f"Received: {run_dir}, whose model, loss or data only its own script knows. Expected: a run of the "
            "scripts here; a script of your own calls ddl.asynchronous.audit.replay.replay."
        )
    extent = check_log(run_dir)
    for start in extent.starts:
        if start.plan != plan_digest(plan.to_dict()):
            raise ValueError(
                f"Received: {run_dir / NAME}, line {start.line}, a log of another plan than plan.json. Expected: both "
                "of one run."
            )
    if data is not None:
        plan = dataclasses.replace(plan, data=data)
    return _with_files(run_dir, plan, extent)


def _with_files(run_dir: Path, plan: Plan, extent: Extent) -> Found:
    files: dict[int, Path] = {}
    facts: dict[str, Any] | None = None
    for _, path in list_checkpoints(run_dir / FOLDER):
        try:
            checkpoint = open_checkpoint(path)
        except ValueError:
            if path.exists():
                raise
            continue  # the run has just replaced it by a newer one
        version = checkpoint.facts.get("asynchronous", {}).get("version")
        if not isinstance(version, int):
            continue  # of another mode
        if version > extent.end and _is_there(extent, run_dir, version):
            continue  # written since the log was read
        if version > extent.end:
            raise Differs(
                0,
                f"the log ends at version {extent.end}, but {path.name} has version {version}: updates are missing "
                "from the log",
            )
        if version >= extent.base:
            files[version], facts = path, checkpoint.facts
    order = extent.starts[-1].order
    final = run_dir / FINAL
    is_over = extent.end == leases_before(order, Position(plan.epochs))
    compares_final = is_over and final.exists() and not plan.restore_best
    if not files and not compares_final:
        raise ValueError(
            f"Received: {run_dir}, which has no checkpoint of its log yet. Expected: a run with one, to compare its "
            "weights with."
        )
    return Found(plan, extent, files, facts, final if compares_final else None)


def _is_there(extent: Extent, run_dir: Path, version: int) -> bool:
    """Return whether the log has grown to a version since it was checked."""
    return check_log(run_dir).end >= version


@contextlib.contextmanager
def _progress(total: int) -> Iterator[Any]:
    with contextlib.closing(Progress("updates replayed", total)) as progress:
        yield progress.show


def _tell_early(parser: Parser, asked: Replaying, error: Differs) -> int:
    """Tell what the log alone shows."""
    if asked.json:
        values = {"equal": False, "line": error.line, "problem": str(error), "compared": []}
        print(json.dumps({"run": str(asked.run), **values}))
    else:
        print(escaped(f"{asked.run}: differs. {_sentence(str(error))}"))
    return end_output(parser.name) or DIFFERS


def _tell(asked: Replaying, report: Report, extent: Extent, seconds: float) -> None:
    if asked.json:
        values = {
            "equal": report.is_equal,
            "line": report.line,
            "problem": report.problem,
            "updates": report.updates,
            "workers": report.workers,
            "oldest": report.oldest,
            "most_versions_kept": report.kept,
            "seconds": round(seconds, 3),
            "compared": [dataclasses.asdict(each) for each in report.compared],
        }
        print(json.dumps({"run": str(asked.run), **values}))
        return
    print(
        escaped(
            f"{asked.run}: {report.updates} updates of {report.workers} workers, the oldest of age {report.oldest}, "
            f"replayed in {seconds:.1f} s."
        )
    )
    if extent.cut:
        print("The last line is not complete: the run is writing it, or was killed meanwhile.")
    for each in report.compared:
        print(
            escaped(
                f"{each.file}, version {each.version}: largest difference {each.difference:.1e}."
            )
        )
    if report.is_equal:
        print("The run's weights are those of its log.")
    else:
        print(escaped(f"The run differs. {_sentence(report.problem)}"))
    sys.stdout.flush()


def _sentence(problem: str) -> str:
    return problem[:1].upper() + problem[1:] + "."
