"""The job of an attempt: the words for `sbatch` and the script. Pure.

No text of a user reaches a shell unquoted. Words and script are templates: {name} and {attempt_dir} are filled at the
hand-over, {after} by an agent that submits its successor.
"""

from __future__ import annotations

import math
import posixpath
import shlex
from collections.abc import Mapping
from typing import Any

from ddl.experiments.backends.slurm_text import time_of
from ddl.experiments.spec.node import Node
from ddl.experiments.spec.records import Experiment

LOG_NAME = "slurm.log"
"""In the attempt's folder: what Slurm itself tells of the job."""

_SIGNAL = "USR1"
_LONGEST_SIGNAL_S = 65535
# Else a manager that itself runs in a job, or settings that the user has for other work, would change ours.
_UNSET = (
    *("SBATCH_ARRAY_INX", "SBATCH_WAIT", "SBATCH_HINT", "SLURM_RESTART_COUNT", "SLURM_JOB_ID"),
    *("DDL_ATTEMPT", "DDL_ATTEMPT_DIR", "DDL_EXPERIMENT", "DDL_EXPERIMENT_DIR", "DDL_RUN_DIR"),
    *("DDL_SMTP_PASSWORD",),
)
_NOT_OURS = ("array", "wrap", "wait", "test-only", "dependency")
_NOT_OURS_SHORT = {"-a": "array", "-W": "wait", "-d": "dependency"}


def words_of(record: Experiment, node: Node, attempt_dir: str) -> list[str]:
    """Return the command that submits the job; its script comes from standard input.

    Resources come first, then the node's own words, which change them, then what the fence and the chain need.
    """
    return [
        "env",
        *(f"-u{name}" for name in _UNSET),
        "sbatch",
        *_resources(record, node),
        *node.sbatch,
        "--parsable",
        "--job-name={name}",
        "--comment={name}",
        "--no-requeue",
        f"--signal=B:{_SIGNAL}@{signal_before_s(record, node)}",
        "--open-mode=append",
        f"--output={_log_of(attempt_dir)}",
    ]


def signal_before_s(record: Experiment, node: Node) -> int:
    """Return how long before the limit the agent is asked to end its command. Slurm may ask 60 s earlier.

    Of a short limit at most a third goes to it, so that something is left to train.
    """
    wanted = node.signal_before_s
    if record.needs.time_s:
        wanted = min(wanted, record.needs.time_s / 3)
    return max(1, min(_LONGEST_SIGNAL_S, math.ceil(wanted)))


def script_of(python: str, agent: str, attempt_dir: str) -> str:
    """Return the script of an attempt and of its successors, whose folders stand beside `attempt_dir`.

    It becomes the agent, so Slurm's signals reach it; the agent runs the node's `setup` before each command.
    """
    attempts = posixpath.dirname(attempt_dir)
    return (
        "#!/bin/bash\n"
        'echo "Job $SLURM_JOB_ID of {name} starts on $(hostname)."\n'
        "name={name}\n"
        f"exec {shlex.quote(python)} {shlex.quote(agent)} run "
        f'{shlex.quote(attempts)}/"${{name##*-a}}"\n'
    )


def filled(template: Mapping[str, Any], name: str, attempt_dir: str, after: str) -> dict[str, Any]:
    """Return {argv, stdin} of a hand-over or of a successor, with its places filled."""

    def fill(text: str, folder: str) -> str:
        for place, value in (("{name}", name), ("{attempt_dir}", folder), ("{after}", after)):
            text = text.replace(place, value)
        return text

    return {
        "argv": [fill(str(word), attempt_dir) for word in template["argv"]],
        "stdin": fill(str(template.get("stdin") or ""), attempt_dir),
    }


def check_words(node: Node) -> None:
    """Check the node's own words for `sbatch`.

    Raises:
        ValueError: They would make of one attempt another number of jobs, or wait for its end.
    """
    for word, before in zip(node.sbatch, ("", *node.sbatch), strict=False):
        name = word[2:].partition("=")[0] if word.startswith("--") else ""
        name = _NOT_OURS_SHORT.get(word[:2], name)
        if name in _NOT_OURS:
            raise ValueError(
                f"Received: sbatch: {word} of node {node.name}. Expected: flags that leave one job an attempt; "
                f"without {', '.join(f'--{each}' for each in _NOT_OURS)}."
            )
        if not word.startswith("-") and (not before.startswith("-") or "=" in before):
            raise ValueError(
                f"Received: sbatch: {word!r} of node {node.name}. Expected: flags such as --account=NAME; the script "
                "is ours."
            )


def _log_of(attempt_dir: str) -> str:
    """Return where Slurm puts its own log: not into a folder whose name it would read as a pattern (%j)."""
    return "/dev/null" if set("%\\") & set(attempt_dir) else f"{{attempt_dir}}/{LOG_NAME}"


def _resources(record: Experiment, node: Node) -> list[str]:
    needs, ranks = record.needs, record.run.ranks or 1
    words = ["--nodes=1", f"--ntasks={ranks}"]
    if needs.cores:
        words.append(f"--cpus-per-task={math.ceil(needs.cores / ranks)}")
    if needs.time_s:
        words.append(f"--time={time_of(needs.time_s)}")
    if needs.memory_bytes:
        words.append(f"--mem={math.ceil(needs.memory_bytes / (1 << 20))}M")
    if needs.gpus:
        words.append(f"--gres=gpu:{needs.gpus}")
    if node.partition:
        words.append(f"--partition={node.partition}")
    return words
