"""The next attempt: whoever sees that one is due writes its intent, and one of them hands it over."""

from __future__ import annotations

import os
import subprocess
import time
from typing import Any, Mapping

from ddl.experiments.agent.attempt.launch import outer_environment
from ddl.experiments.agent.layout import AttemptFolder, ExperimentFolder
from ddl.experiments.agent.outcome import Step, next_step
from ddl.experiments.agent.whole import create_json, make_folder, read_json, write_json

_HAND_OVER_S = 30  # the heartbeat waits meanwhile, and its lease is twice as long
_JOB_ID = "SLURM_JOB_ID"


def name_of(name: str, number: int) -> str:
    """Return the name of another attempt of the same experiment: `ddl-1f2e3d4c-003-a1` -> `ddl-1f2e3d4c-003-a2`."""
    return f"{name.rpartition('-a')[0]}-a{number}"


def step_after(attempt: AttemptFolder, retries: int, last: Mapping[str, Any]) -> Step:
    """Return what follows an attempt that ends with the status `last`, which may not be written yet."""
    experiment = attempt.experiment
    earlier = [n for n in experiment.attempt_numbers() if n < attempt.number]
    statuses = [{"attempt": n, **read_json(experiment.attempt(n).status)} for n in earlier]
    return next_step([*statuses, last], retries, read_json(experiment.wanted) or None)


def create_next(attempt: AttemptFolder, reason: str) -> AttemptFolder | None:
    """Write the intent of the next attempt. Return it, None where somebody else has made a later one already."""
    if attempt.experiment.attempt_numbers()[-1] > attempt.number:
        return None
    intent = read_json(attempt.intent)
    following = attempt.experiment.attempt(attempt.number + 1)
    name = name_of(str(intent["name"]), following.number)
    template = intent.get("successor")
    job_id = os.environ.get(_JOB_ID, "")
    hand_over = _filled(template, name, following, job_id) if template else intent.get("hand_over")
    make_folder(following.path)
    made = create_json(
        following.intent,
        {
            **intent,
            "name": name,
            "number": following.number,
            "created": time.time(),
            "by": "agent",
            "reason": reason,
            "hand_over": hand_over,
        },
    )
    return following if made else None


def hand_over(attempt: AttemptFolder) -> str:
    """Submit an attempt from within the job, as its intent says. Return what went wrong, "" if nothing.

    After an error nobody knows whether the job exists. The intent is there, so the manager finds the job by its name,
    or submits it again once it is sure that there is none.
    """
    what = read_json(attempt.intent).get("hand_over") or {}
    try:
        done = subprocess.run(
            [str(word) for word in what["argv"]],
            input=str(what.get("stdin") or "").encode(),
            capture_output=True,
            timeout=_HAND_OVER_S,
            check=True,
            env=outer_environment(),
        )
    except (KeyError, OSError, subprocess.SubprocessError) as error:
        said = getattr(error, "stderr", b"") or b""
        return f"{error} {said.decode('utf-8', 'replace').strip()}".strip()
    job_id = done.stdout.decode("utf-8", "replace").strip().partition(";")[0]
    write_json(attempt.submitted, {"id": job_id, "time": time.time(), "where": "agent"})
    return ""


def is_needed(attempt: AttemptFolder) -> str:
    """Return "" where an attempt is to train, else why not.

    A successor is handed over before its predecessor ends, so it may find that nothing is left to do. What the manager
    made after an end, for `retry` or `resume`, trains.
    """
    if read_json(attempt.intent).get("by") != "agent" or attempt.number == 1:
        return ""
    before = attempt.experiment.attempt(attempt.number - 1)
    status = {"attempt": before.number, **read_json(before.status)}
    step = step_after(before, experiment_retries(attempt.experiment), status)
    return "" if step.step == "again" else f"attempt {before.number} ended: {step.reason}"


def _filled(
    template: Mapping[str, Any], name: str, attempt: AttemptFolder, job_id: str
) -> dict[str, Any]:
    values = {"{name}": name, "{attempt_dir}": str(attempt.path), "{after}": job_id}

    def fill(text: str) -> str:
        for place, value in values.items():
            text = text.replace(place, value)
        return text

    return {
        "argv": [fill(str(word)) for word in template["argv"]],
        "stdin": fill(str(template.get("stdin") or "")),
    }


def experiment_retries(experiment: ExperimentFolder) -> int:
    """Return how many crashes of an experiment are tried again."""
    return int(read_json(experiment.experiment).get("retries") or 0)
