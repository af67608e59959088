"""What Slurm's commands print, read with care: versions differ, and texts of other people stand in it. Pure."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from ddl.experiments.backends.backend import ENDED, RUNNING, UNKNOWN, WAITING, Seen

FIELDS = (
    "JobArrayID:40|,Name:80|,State:40|,RestartCnt:12|,exit_code:20|,StartTime:40|,TimeUsed:30|,"
    "NodeList:80|,Reason:200"
)
"""For `squeue -O`. Every field has its width; else old versions cut at 20 characters. Free text comes last."""

ACCOUNTED = "JobIDRaw,JobName,State,ExitCode"
"""For `sacct -P -o`: with accounting and, for `sacct -c`, without."""

_WAITING = (
    *("PENDING", "CONFIGURING", "REQUEUED", "REQUEUE_HOLD", "REQUEUE_FED"),
    *("RESV_DEL_HOLD", "SPECIAL_EXIT", "POWER_UP_NODE"),
)
_RUNNING = (
    *("RUNNING", "COMPLETING", "SUSPENDED", "STOPPED", "SIGNALING"),
    *("STAGE_OUT", "RESIZING", "UPDATE_DB"),
)
_ENDED = (
    *("COMPLETED", "CANCELLED", "FAILED", "TIMEOUT", "NODE_FAIL", "PREEMPTED", "BOOT_FAIL"),
    *("DEADLINE", "OUT_OF_MEMORY", "REVOKED", "LAUNCH_FAILED", "RECONFIG_FAIL"),
    "EXPEDITING_FAILED",
)
STATES = {
    **dict.fromkeys(_WAITING, WAITING),
    **dict.fromkeys(_RUNNING, RUNNING),
    **dict.fromkeys(_ENDED, ENDED),
}
"""Slurm's word for a job -> ours."""

FORGOTTEN = "FORGOTTEN"
"""Our word for a job that accounting takes for alive and the controller does not know."""

_NEVER = {
    "BadConstraints": "no node has what it asks for",
    "PartitionConfig": "it asks for more than a node of the partition has",
    "PartitionNodeLimit": "it asks for more nodes than the partition gives to one job",
    "PartitionTimeLimit": "its time is above the limit of the partition",
    "InvalidAccount": "the account is unknown or may not be used",
    "InvalidQOS": "the quality of service is unknown or may not be used",
    "AccountNotAllowed": "the account may not use the partition",
    "QOSNotAllowed": "the quality of service may not use the partition",
    "QOSMaxWallDurationPerJobLimit": "its time is above the limit of the quality of service",
    "AssocMaxWallDurationPerJobLimit": "its time is above the limit of the account",
    "MaxMemPerLimit": "it asks for more memory than the limit",
    "AssocMaxCpuPerJobLimit": "it asks for more cores than the limit of the account",
    "AssocMaxNodePerJobLimit": "it asks for more nodes than the limit of the account",
    "QOSMaxCpuPerJobLimit": "it asks for more cores than the limit of the quality of service",
    "QOSMaxNodePerJobLimit": "it asks for more nodes than the limit of the quality of service",
    "QOSMaxMemoryPerJob": "it asks for more memory than the limit of the quality of service",
    "QOSMaxGRESPerJob": "it asks for more GPUs than the limit of the quality of service",
}
"""Reason of a waiting job that no waiting helps against -> in words."""

_CERTAIN = re.compile(
    r"unrecognized option|invalid option|requires an argument|doesn't allow an argument|ambiguous"
    r"|invalid|not permitted|permission denied|not available|can not be satisfied|cannot be satisfied"
    r"|more processors requested|violates accounting|no such file|unable to open|is not a valid"
    r"|exceeds|not supported|configuration is not",
    re.IGNORECASE,
)
_UNCERTAIN = re.compile(
    r"socket timed out|unable to contact|zero bytes|transport endpoint|connection (?:refused|reset|timed out)"
    r"|send/recv|communication|temporarily|try again|submit limit|not responding|protocol|credential|munge"
    r"|partition not available|name resolution|no route|s_p_parse_file|configuration file|configuration source",
    re.IGNORECASE,
)
_DAYS = re.compile(r"(?:(?P<days>\d+)-)?(?P<clock>\d+(?::\d+){0,2})")


def jobs_of(text: str, names: Iterable[str]) -> dict[str, list[Seen]]:
    """Return the jobs in the output of `squeue -O FIELDS`, by name and the oldest first.

    Raises:
        ValueError: A line is none of squeue's.
    """
    found: dict[str, list[tuple[int, Seen]]] = {name: [] for name in names}
    for line in text.splitlines():
        words = [word.strip() for word in line.split("|", 8)]
        if not line.strip():
            continue
        if len(words) != 9:
            raise ValueError(f"a line that is none of squeue's: {line[:100]}")
        job, name, raw, restarts, status, start, used, where, reason = words
        if name in found:
            seen = Seen(
                id=job,
                state=state_of(raw),
                reason=reason,
                raw=raw,
                restarts=int(restarts) if restarts.isdecimal() else 0,
                start=_number(start),
                elapsed_s=seconds_of(used),
                node=where,
                exit=_exit_of(status),
            )
            found[name].append((_order(job), _plain(seen)))
    return {name: _sorted(jobs) for name, jobs in found.items()}


def accounted_of(text: str, names: Iterable[str]) -> dict[str, list[Seen]]:
    """Return the jobs in the output of `sacct -P -o ACCOUNTED`, by name and the oldest first.

    The queue does not have them, so what accounting takes for alive has been forgotten. Lines that are none of
    sacct's are passed over: accounting is never needed.
    """
    found: dict[str, list[tuple[int, Seen]]] = {name: [] for name in names}
    for line in text.splitlines():
        words = [word.strip() for word in line.split("|")]
        if len(words) != 4 or words[1] not in found:
            continue
        job, name, raw, status = words
        word = raw.split()[0] if raw else ""  # "CANCELLED by 1000"
        ended = state_of(word) == ENDED
        word = word if ended else FORGOTTEN
        seen = Seen(id=job, state=ENDED, reason=word, raw=raw, exit=status if ended else "")
        found[name].append((_order(job), seen))
    return {name: _sorted(jobs) for name, jobs in found.items()}


def state_of(raw: str) -> str:
    """Return our word for a state of Slurm; "unknown" for one that we do not know."""
    return STATES.get(raw.upper().rstrip("*+"), UNKNOWN)


def never_starts(job: Seen) -> str:
    """Return why a waiting job will never start as it is, "" if it may."""
    if job.state != WAITING:
        return ""
    reason = job.reason.strip("()")
    if reason in _NEVER:
        return f"Slurm says {reason}: {_NEVER[reason]}"
    return f"Slurm says {reason}" if "Never" in reason else ""


def is_refusal(stderr: str) -> bool:
    """Return whether `sbatch` failed for certain. After any other error the job may run (measured)."""
    if _UNCERTAIN.search(stderr):
        return False
    return bool(_CERTAIN.search(stderr))


def job_id_of(stdout: str) -> str:
    """Return the job id that `sbatch --parsable` printed, "" if none: wrappers of a site print other lines, too."""
    for line in reversed(stdout.splitlines()):
        if found := re.fullmatch(r"\s*(?:Submitted batch job )?(\d+)(?:;\S+)?\s*", line):
            return found[1]
    return ""


def seconds_of(text: str) -> float | None:
    """Return the seconds of a time such as 1-00:00:00, 10:00 or 00:05:00; None for UNLIMITED, NONE, N/A."""
    found = _DAYS.fullmatch(text.strip())
    if not found:
        return None
    days, clock = found["days"], [int(part) for part in found["clock"].split(":")]
    if days:  # D-HH[:MM[:SS]]
        hours, minutes, seconds = (*clock, 0, 0)[:3]
    elif len(clock) == 1:  # minutes
        hours, minutes, seconds = 0, clock[0], 0
    else:  # [HH:]MM:SS
        hours, minutes, seconds = (0, *clock)[-3:]
    return float(((int(days or 0) * 24 + hours) * 60 + minutes) * 60 + seconds)


def time_of(seconds: float) -> str:
    """Return a time for `sbatch --time`: days-hours:minutes:seconds, rounded up."""
    whole = max(1, math.ceil(seconds))
    minutes, second = divmod(whole, 60)
    hours, minute = divmod(minutes, 60)
    days, hour = divmod(hours, 24)
    return f"{days}-{hour:02d}:{minute:02d}:{second:02d}"


def gpus_in(text: str) -> int:
    """Return the number of GPUs in a list of generic resources: "gpu:a100:4(S:0-1),fs:1" has 4."""
    total = 0
    for found in re.finditer(r"(?:^|,)gpu(?::[^:,()]+)?:(\d+)", text):
        total += int(found[1])
    return total


def pairs_of(line: str) -> dict[str, str]:
    """Return NAME=VALUE of a line of `scontrol show ... -o`. Values may hold spaces; names hold none."""
    return {found[1]: found[2].strip() for found in re.finditer(r"(\w+)=(.*?)(?=\s\w+=|$)", line)}


def mib_of(text: str) -> int | None:
    """Return bytes of a number in MiB, None for anything else."""
    return int(text) << 20 if text.isdecimal() else None


def merged(
    queue: Mapping[str, Sequence[Seen]], accounted: Mapping[str, Sequence[Seen]]
) -> dict[str, list[Seen]]:
    """Return what is known of each name: what the queue has counts, accounting only where it has nothing."""
    return {name: list(jobs) or list(accounted.get(name, ())) for name, jobs in queue.items()}


def _plain(seen: Seen) -> Seen:
    """Return a job whose reason, once it has ended, is the state itself: "TIMEOUT", not "NonZeroExitCode"."""
    if seen.state == ENDED:
        return replace(seen, reason=seen.raw)
    return replace(seen, never=never_starts(seen))


def _exit_of(word: str) -> str:
    """Return "STATUS:SIGNAL" of the status that `wait` gives, as squeue prints it."""
    if not word.isdecimal():
        return word if re.fullmatch(r"\d+:\d+", word) else ""
    return f"{int(word) >> 8 & 0xFF}:{int(word) & 0x7F}"


def _number(word: str) -> float | None:
    return float(word) if word.isdecimal() else None


def _order(job: str) -> int:
    digits = re.match(r"\d+", job)
    return int(digits[0]) if digits else 0


def _sorted(jobs: list[tuple[int, Seen]]) -> list[Seen]:
    return [seen for _, seen in sorted(jobs, key=lambda pair: pair[0])]
