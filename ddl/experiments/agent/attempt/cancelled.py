"""Whether the TERM that a Slurm job gets means that somebody has cancelled it, or that it is preempted or out of time.

Measured with Slurm 22.05: after `scancel`, `scontrol show job` says COMPLETING with an end in the past and without a
PreemptTime; a preempted job has one, and one that is put back into the queue has an end in the future.
"""

from __future__ import annotations

import os
import re
import subprocess
import time

_WAIT_S = 5  # KILL comes 30 s after TERM
_NEAR_LIMIT_S = 90.0  # Slurm looks at limits once in a minute
_STATES = ("COMPLETING", "CANCELLED")


def is_cancelled() -> bool:
    """Return whether this job was cancelled; False where there is no Slurm, or no answer."""
    job_id = os.environ.get("SLURM_JOB_ID")
    if not job_id:
        return False
    try:
        done = subprocess.run(
            ["scontrol", "show", "job", job_id],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=_WAIT_S,
            check=True,
            env={**os.environ, "SLURM_TIME_FORMAT": "standard"},
        )
    except (OSError, subprocess.SubprocessError):
        return False
    return says_cancelled(done.stdout.decode("utf-8", "replace"), time.time())


def says_cancelled(text: str, now: float) -> bool:
    """Return whether what `scontrol show job` tells of a job that gets TERM means `scancel`."""
    facts = dict(re.findall(r"(\w+)=(\S*)", text))
    if facts.get("JobState") not in _STATES or facts.get("PreemptTime") != "None":
        return False
    soon = time.strftime("%Y-%m-%dT%H:%M:%S", time.localtime(now + 5))
    if not facts.get("EndTime", "Unknown")[:1].isdigit() or facts["EndTime"] > soon:
        return False
    limit_s, run_s = duration_s(facts.get("TimeLimit", "")), duration_s(facts.get("RunTime", ""))
    return run_s is not None and (limit_s is None or run_s + _NEAR_LIMIT_S < limit_s)


def duration_s(text: str) -> float | None:
    """Return the seconds of `[DAYS-]HH:MM:SS`, None for anything else, such as UNLIMITED."""
    match = re.fullmatch(r"(?:(\d+)-)?(\d+):(\d\d):(\d\d)", text)
    if not match:
        return None
    days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
    return float(((days * 24 + hours) * 60 + minutes) * 60 + seconds)
