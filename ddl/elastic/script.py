"""The training command behind the "--": what it would train, and its words at each start."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ddl.distributed.learning_rate import scale_factor
from ddl.training.optimization.optimizers import is_full_batch
from ddl.training.plan.asked_plan import VARIABLE

MODES = ("sync", "balanced", "local")

_CHECK_TIMEOUT_S = 600.0  # of large data, every file is listed
_PYTHON = re.compile(r"python[0-9.]*")
_RATE = ("--learning-rate", "--learning-rate-scaling", "--warmup-from")


class Refused(Exception):
    """The script itself refused its flags or data, and has said so."""

    def __init__(self, status: int) -> None:
        super().__init__(f"status {status}")
        self.status = status


@dataclass(frozen=True)
class Facts:
    """What a command would train, in its own words."""

    plan: Mapping[str, Any]
    checkpoint_batch_size: int | None = None  # global, of the checkpoint to resume from

    @property
    def run_dir(self) -> Path:
        """The run directory."""
        return Path(self.plan["run_dir"])


@dataclass(frozen=True)
class Script:
    """A training command. `words` are those behind the Python program."""

    python: str
    words: tuple[str, ...]

    def flag(self, name: str) -> str | None:
        """Return the value of a flag, None where it is not given."""
        for number, word in enumerate(self.words):
            if word == name:
                return "".join(self.words[number + 1 : number + 2])
            if word.startswith(f"{name}="):
                return word.partition("=")[2]
        return None

    def without(self, *names: str) -> Script:
        """Return the command without these flags, which have one value each."""
        words: list[str] = []
        skips = False
        for word in self.words:
            if skips:
                skips = False
            elif word in names:
                skips = True
            elif word.partition("=")[0] not in names:
                words.append(word)
        return Script(self.python, tuple(words))

    def plus(self, *words: object) -> Script:
        """Return the command with more words."""
        return Script(self.python, (*self.words, *map(str, words)))

    def resuming(self) -> Script:
        """Return the command that goes on from the newest checkpoint."""
        return self.without("--resume").plus("--resume", "auto")


def read_script(words: Sequence[str]) -> Script:
    """Return the command of these words: "SCRIPT.py FLAGS" or "python SCRIPT.py FLAGS".

    Raises:
        ValueError: there is no such script.
    """
    given = list(words)
    python = sys.executable
    if given and _PYTHON.fullmatch(Path(given[0]).name):
        python = given.pop(0)
        while given and given[0] in ("-u", "-B"):
            given.pop(0)
    if not given or not given[0].endswith(".py"):
        shown = " ".join(words) or "nothing"
        raise ValueError(
            f"Received: {shown} behind the lone --. Expected: a training script with its flags, such as -- "
            "scripts/train_unet.py --data cells.h5."
        )
    if "--dry-run" in given:
        raise ValueError(
            "Received: --dry-run behind the lone --. Expected: a command that trains; try the script itself."
        )
    path = Path(given[0])
    if not path.is_file():
        raise ValueError(f"Received: {path}, which is no file. Expected: a training script.")
    return Script(python, (str(path.resolve()), *given[1:]))


def ask(script: Script, ranks: int) -> Facts:
    """Return what the script says that it would train on this many ranks. It checks its flags and data for that.

    Raises:
        Refused: it refuses them, and has printed why.
        ValueError: it does not tell.
    """
    with tempfile.TemporaryDirectory(prefix="ddl-elastic-") as folder:
        answer = Path(folder, "plan.json")
        place = {"HOROVOD_SIZE": str(ranks), "HOROVOD_RANK": "0"}
        try:
            done = subprocess.run(
                [script.python, *script.words],
                stdin=subprocess.DEVNULL,
                env={**os.environ, **place, VARIABLE: str(answer)},
                timeout=_CHECK_TIMEOUT_S,
                check=False,
            )
        except OSError as error:
            raise ValueError(
                f"Received: {script.python}, which cannot be started ({error.strerror}). Expected: Python."
            ) from error
        except subprocess.TimeoutExpired:
            raise ValueError(
                f"Received: {script.words[0]}, which has not checked its data within {_CHECK_TIMEOUT_S:g} s. "
                "Expected: a training script of ddl."
            ) from None
        if done.returncode:
            raise Refused(done.returncode)
        try:
            found = json.loads(answer.read_text("utf-8"))
        except (OSError, ValueError):
            raise ValueError(
                f"Received: {script.words[0]}, which does not tell its plan. Expected: a script that trains, such as "
                "scripts/train_unet.py, without --dry-run and the like."
            ) from None
    return Facts(found["plan"], found["checkpoint_batch_size"])


def check(facts: Facts) -> None:
    """Refuse what cannot go on with another number of ranks.

    Raises:
        ValueError: names the field and the remedy.
    """
    plan = facts.plan
    mode = plan["parallel"]
    if mode not in MODES:
        raise ValueError(
            f"Received: parallel={mode} in elastic training. Expected: parallel={', '.join(MODES)}; with {mode}, "
            "workers may come and go as it is, so start the script itself."
        )
    if plan["partition"] != "none":
        raise ValueError(
            f"Received: partition={plan['partition']} in elastic training. Expected: no partition: its parts need "
            "all of their ranks."
        )
    if plan["shares"]:
        raise ValueError(
            f"Received: shares={','.join(map(str, plan['shares']))} in elastic training. Expected: no shares, which "
            "are for one number of ranks; parallel=balanced measures them."
        )
    if plan["profile"]:
        raise ValueError(
            f"Received: profile={plan['profile']} in elastic training. Expected: no profile; profile a run of fixed "
            "ranks."
        )


def with_fixed_batch(script: Script, facts: Facts, ranks: int) -> tuple[Script, str]:
    """Return the command with a global batch size that holds for any number of ranks, and a line on what was changed.

    The learning rate that `per_rank_batch_size` has on the first start's ranks stays, too.

    Raises:
        ValueError: the learning rate of a run that goes on depends on its ranks.
    """
    plan = facts.plan
    if plan["global_batch_size"] or is_full_batch(plan["optimizer"]):
        return script, ""
    scaling, rate = plan["learning_rate_scaling"], float(plan["learning_rate"])
    size = facts.checkpoint_batch_size
    if size is not None and scaling == "linear":
        raise ValueError(
            "Received: --resume of a run with learning_rate_scaling=linear and per_rank_batch_size. Expected: a run "
            "that elastic.py or global_batch_size has started, whose learning rate does not depend on its ranks."
        )
    whole = plan["per_rank_batch_size"] * ranks if size is None else size
    changed = script.without("--per-rank-batch-size").plus("--global-batch-size", whole)
    told = f"--global-batch-size {whole}"
    # Local steps take the rate as it is: that of one rank's batch.
    factor = 1.0 if plan["parallel"] == "local" else scale_factor(scaling, ranks)
    if size is None and factor != 1.0:
        changed = changed.without(*_RATE).plus("--learning-rate", repr(rate * factor))
        changed = changed.plus("--learning-rate-scaling", "none")
        told += f" --learning-rate {rate * factor:g} --learning-rate-scaling none"
        start = plan["warmup_from"]
        if plan["warmup_epochs"]:
            changed = changed.plus("--warmup-from", repr(rate if start is None else float(start)))
            told += f" --warmup-from {rate if start is None else start:g}"
    elif size is None and scaling == "linear":  # not allowed beside a global batch
        changed = changed.without("--learning-rate-scaling").plus("--learning-rate-scaling", "none")
    origin = "the checkpoint" if size is not None else f"the first start, on {ranks} ranks"
    return changed, f"the batch stays that of {origin}, whatever ranks come and go: {told}"
