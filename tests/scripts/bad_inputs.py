"""What people give scripts by mistake: one table, and a program that tries some of it and tells what came of it.

    python -m tests.scripts.bad_inputs EARLY FOLDER

A row runs in a folder of its own, in which `given` has made files.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import importlib
import io
import json
import os
import shlex
import sys
import traceback
from dataclasses import dataclass
from pathlib import Path

from tests.launch import REPOSITORY
from tests.scripts.bad_benchmarks import BENCHMARKS, BROKEN
from tests.scripts.bad_data import DATA, RESNET, UNET
from tests.scripts.bad_exports import EXPORT, EXPORTED
from tests.scripts.bad_flags import TRAIN_RESNET, TRAIN_UNET
from tests.scripts.bad_runs import EVALUATE, MODELS, PREPARE, RUNS
from tests.scripts.bad_sql import SQL
from tests.scripts.spoiled import Row


@dataclass(frozen=True)
class Outcome:
    """What came of a row.

    Attributes:
        status: of the script; None where an error left it.
        told: what it wrote to stderr, or the error.
        printed: what it wrote to stdout.
        changed: paths that are new, gone or other than before.
        tensorflow: whether TensorFlow was loaded by then.
    """

    status: int | None
    told: str
    printed: str
    changed: list[str]
    tensorflow: bool


EARLY = [
    Row("train_unet", "The following arguments are required: --run-dir"),
    *(Row(UNET + flags, message) for flags, message in TRAIN_UNET.items()),
    *(Row(RESNET + flags, message) for flags, message in TRAIN_RESNET.items()),
    *DATA,
    *RUNS,
    *EVALUATE,
    *PREPARE,
    *SQL,
    *EXPORT,
    *BENCHMARKS,
]
"""Refused before TensorFlow loads."""

LATE = [*MODELS, *EXPORTED, *BROKEN]
"""Refused when there is a model to look at."""


def attempt(row: Row, here: Path) -> Outcome:
    """Run a row's script in this process, in a new folder."""
    here.mkdir(parents=True)
    os.chdir(here)
    row.given(here)
    before = tree(here)
    script, *arguments = shlex.split(row.command)
    told, printed, status = io.StringIO(), io.StringIO(), None
    with contextlib.redirect_stderr(told), contextlib.redirect_stdout(printed):
        try:
            importlib.import_module(script).main(arguments)
        except SystemExit as end:
            status = int(end.code or 0)
        except Exception:
            told.write(traceback.format_exc())
    changed = sorted({path for path, _ in before.items() ^ tree(here).items()})
    return Outcome(
        status, told.getvalue(), printed.getvalue(), changed, "tensorflow" in sys.modules
    )


def tree(here: Path) -> dict[str, str]:
    """Return every path below a folder with a digest of what it holds."""
    return {
        str(path.relative_to(here)): hashlib.sha256(path.read_bytes()).hexdigest()
        if path.is_file()
        else "no file"
        for path in here.rglob("*")
    }


def main() -> None:
    """Try the rows of a table, and print the outcomes as JSON."""
    which, folder = sys.argv[1:]
    sys.path.insert(0, str(REPOSITORY / "scripts"))
    rows = {"EARLY": EARLY, "LATE": LATE}[which]
    outcomes = [attempt(row, Path(folder, str(number))) for number, row in enumerate(rows)]
    json.dump([dataclasses.asdict(outcome) for outcome in outcomes], sys.stdout)


if __name__ == "__main__":
    main()
