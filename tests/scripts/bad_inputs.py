"""What people give scripts by mistake: all rows, and a program that tries those that need no TensorFlow.

    python -m tests.scripts.bad_inputs FOLDER NUMBERS...

It prints how each of these early rows ended, a line of JSON each. A row runs in a folder of its own, in which `given`
has made files.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import shlex
import sys
import traceback
from pathlib import Path

from tests.scripts.bad_async import ASYNC
from tests.scripts.bad_benchmarks import BENCHMARKS, BROKEN
from tests.scripts.bad_classifier_data import CLASSIFIER_DATA
from tests.scripts.bad_data import DATA, RESNET, UNET
from tests.scripts.bad_elastic import ELASTIC
from tests.scripts.bad_exports import EXPORT, EXPORTED
from tests.scripts.bad_flags import LIST_MODELS, TRAIN_RESNET, TRAIN_UNET
from tests.scripts.bad_networks import NETWORKS
from tests.scripts.bad_pydtnn import PYDTNN
from tests.scripts.bad_runs import EVALUATE, MODELS, PREPARE, RUNS
from tests.scripts.bad_slices import SLICES
from tests.scripts.bad_sql import SQL
from tests.scripts.bad_targets import TARGETS
from tests.scripts.in_process import Outcome, call
from tests.scripts.spoiled import Row

EARLY = [
    *(Row(UNET + flags, message) for flags, message in TRAIN_UNET.items()),
    *(Row(RESNET + flags, message) for flags, message in TRAIN_RESNET.items()),
    *(Row(f"list_models {flags}", message) for flags, message in LIST_MODELS.items()),
    *DATA,
    *CLASSIFIER_DATA,
    *SLICES,
    *RUNS,
    *EVALUATE,
    *PREPARE,
    *SQL,
    *EXPORT,
    *BENCHMARKS,
    *PYDTNN,
    *TARGETS,
    *NETWORKS,
    *ELASTIC,
    *ASYNC,
]
"""Refused before TensorFlow loads."""

LATE = [*MODELS, *EXPORTED, *BROKEN]
"""Refused when there is a model to look at."""


def attempt(row: Row, here: Path) -> tuple[Outcome, list[str]]:
    """Call a row's script in this process, in a new folder; return how it ended and which paths it changed."""
    here.mkdir(parents=True)
    row.given(here)
    before = tree(here)
    script, *arguments = shlex.split(row.command)
    outcome = call(script, *arguments, folder=here)
    return outcome, sorted({path for path, _ in before.items() ^ tree(here).items()})


def tree(here: Path) -> dict[str, str]:
    """Return every path below a folder with a digest of what it holds."""
    return {
        str(path.relative_to(here)): hashlib.sha256(path.read_bytes()).hexdigest()
        if path.is_file()
        else "no file"
        for path in here.rglob("*")
    }


def main() -> None:
    """Try some of the early rows in this process."""
    for number in map(int, sys.argv[2:]):
        try:
            outcome, changed = attempt(EARLY[number], Path(sys.argv[1], str(number)))
        except Exception:  # a bug: the traceback is what the row says
            outcome, changed = Outcome(1, "", traceback.format_exc()), []
        ended = dataclasses.asdict(outcome) | {"changed": changed}
        print(json.dumps(ended | {"tensorflow": "tensorflow" in sys.modules}))


if __name__ == "__main__":
    main()
