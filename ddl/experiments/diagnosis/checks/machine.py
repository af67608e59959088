"""Is the machine used well, and does it suffice? Input, idle cores, memory, disk, a slow rank."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ddl.experiments.diagnosis.finding import CERTAIN, LIKELY, POSSIBLE, Finding
from ddl.experiments.diagnosis.remedies import advise
from ddl.experiments.diagnosis.series import median, slope_over
from ddl.experiments.diagnosis.view import View

INPUT_SHARE = 0.25
"""Share of a step in which it waits for samples, of the profile."""
GPU_IDLE, CORES_BUSY, CORES_IDLE = 0.4, 0.5, 0.5
"""Use of a GPU, and of the cores that the run may use."""
LEAST_SAMPLES = 5
"""Samples of the agent, one in half a minute: before, a run is still loading."""
SLOW_SHARE, WAITING_SHARE = 0.8, 0.1
"""The same rank is last in so many steps, and the others wait for it so much of their time."""
NEAR_LIMIT = 0.05
"""Free memory below this share of all is near the limit."""
LEAST_DISK = 1 << 30
_GIB = 1 << 30


def input_bound(view: View) -> Finding | None:
    """Find a run that waits for its samples: by its profile, or by an idle GPU beside busy cores."""
    remedy = advise(view, "--cache memory", "Read samples in more threads, or keep them in memory.")
    if view.is_ours and view.plan.get("cache") == "memory":
        remedy = "--data-threads 8"
    share = _profile_share(view, "input")
    if share is not None and share > INPUT_SHARE:
        text = f"{share:.0%} of a step's time is waiting for samples."
        return Finding("input-bound", 1, CERTAIN, text, remedy, {"input_share": share})
    use, busy = _gpu_use(view), _cores_share(view)
    if use is not None and busy is not None and use < GPU_IDLE and busy > CORES_BUSY:
        text = f"GPUs are used {use:.0%}, while {busy:.0%} of the cores are busy: they wait for samples."
        return Finding(
            "input-bound", None, LIKELY, text, remedy, {"gpu_use": use, "cores_share": busy}
        )
    return None


def idle_cores(view: View) -> Finding | None:
    """Find cores, or GPUs, that do nothing most of the time."""
    busy, use = _cores_share(view), _gpu_use(view)
    cores = view.facts.get("cores")
    if use is not None:
        if use >= GPU_IDLE or (busy or 0) > CORES_BUSY:
            return None
        remedy = advise(view, "--per-rank-batch-size 32", "Use larger batches.")
        text = f"GPUs are used {use:.0%}, and cores are idle, too."
        return Finding("idle cores", None, POSSIBLE, text, remedy, {"gpu_use": use})
    if busy is None or busy >= CORES_IDLE:
        return None
    remedy = advise(view, "--data-threads 0", "Use more threads or processes.")
    if view.is_ours and (view.facts.get("ranks") or 1) < (cores or 1):
        remedy = f"horovodrun -np {cores}"
    text = f"{busy:.0%} of {cores} cores are busy."
    return Finding("idle cores", None, POSSIBLE, text, remedy, {"cores_share": busy})


def memory_full(view: View) -> Finding | None:
    """Find memory that is nearly full, or that will be before the last epoch."""
    remedy = advise(view, "--cache none", "Use smaller batches, and keep less in memory.")
    samples = [s for s in view.resources if _is(s, "memory_bytes") and _is(s, "memory_free_bytes")]
    if len(samples) < LEAST_SAMPLES:
        return None
    last = samples[-1]
    total = last["memory_bytes"] + last["memory_free_bytes"]
    if last["memory_free_bytes"] < NEAR_LIMIT * total:
        text = f"{last['memory_free_bytes'] / _GIB:.1f} GiB of memory are free, of {total / _GIB:.1f} GiB."
        return Finding(
            "memory full",
            _last_epoch(view),
            LIKELY,
            text,
            remedy,
            {"free_bytes": last["memory_free_bytes"]},
        )
    return _forecast(
        view,
        samples,
        "memory_free_bytes",
        "memory full",
        "memory",
        remedy,
        lambda s: -s["memory_bytes"],
    )


def disk_full(view: View) -> Finding | None:
    """Find a disk that is nearly full, or that will be before the last epoch."""
    remedy = advise(
        view, "--keep-every-epochs 0", "Keep fewer checkpoints, or write to another disk."
    )
    samples = [s for s in view.resources if _is(s, "disk_free_bytes")]
    if not samples:
        return None
    last = samples[-1]["disk_free_bytes"]
    if last < LEAST_DISK:
        text = f"{last / _GIB:.2f} GiB are free on the disk of the run."
        return Finding("disk full", _last_epoch(view), LIKELY, text, remedy, {"free_bytes": last})
    return _forecast(
        view,
        samples,
        "disk_free_bytes",
        "disk full",
        "disk",
        remedy,
        lambda s: s["disk_free_bytes"],
    )


def slow_rank(view: View) -> Finding | None:
    """Find a rank that all others wait for."""
    profile = view.facts.get("profile") or {}
    steps, parts = profile.get("steps_of_rank"), profile.get("parts") or []
    if not isinstance(steps, list) or len(steps) < 2 or "waiting" not in parts:
        return None
    at = parts.index("waiting")
    waits = [[step[at] for step in rank] for rank in steps]
    last = [
        min(range(len(at_step)), key=at_step.__getitem__) for at_step in zip(*waits, strict=False)
    ]
    if not last:
        return None
    rank = max(set(last), key=last.count)
    share = last.count(rank) / len(last)
    waiting = _profile_share(view, "waiting") or 0.0
    if share <= SLOW_SHARE or waiting < WAITING_SHARE:
        return None
    text = f"Rank {rank} is the last in {share:.0%} of the steps; the others wait for it {waiting:.0%} of their time."
    remedy = advise(view, "--global-batch-size N", "Look at that machine, or give it less work.")
    return Finding(
        "slow rank",
        1,
        LIKELY,
        text,
        remedy,
        {"rank": rank, "share": share, "waiting_share": waiting},
    )


def _profile_share(view: View, part: str) -> float | None:
    """Return the mean share over ranks of a part of a step, of the profile's medians."""
    profile = view.facts.get("profile") or {}
    ranks, parts = profile.get("median_of_rank"), profile.get("parts") or []
    if not isinstance(ranks, list) or part not in parts:
        return None
    shares = [rank[parts.index(part)] / sum(rank) for rank in ranks if sum(rank) > 0]
    return sum(shares) / len(shares) if shares else None


def _settled(view: View) -> Sequence[Mapping[str, Any]]:
    """Return the samples without the first two, in which a run loads and compiles."""
    return view.resources[2:] if len(view.resources) >= LEAST_SAMPLES + 2 else []


def _gpu_use(view: View) -> float | None:
    uses = [g["use"] for s in _settled(view) for g in s.get("gpus") or [] if _is(g, "use")]
    return median(uses) if uses else None


def _cores_share(view: View) -> float | None:
    cores = view.facts.get("cores")
    used = [s["cores_used"] for s in _settled(view) if _is(s, "cores_used")]
    return median(used) / cores if used and isinstance(cores, int | float) and cores else None


def _forecast(
    view: View,
    samples: Sequence[Mapping[str, Any]],
    free: str,
    check: str,
    what: str,
    remedy: str,
    level: Callable[[Mapping[str, Any]], float],
) -> Finding | None:
    """Find a resource that runs out before the end, if it goes on as in the second half of the samples."""
    half = samples[len(samples) // 2 :]
    left_s = _seconds_left(view, samples)
    if len(half) < LEAST_SAMPLES or left_s is None:
        return None
    times = [sample["time"] for sample in half if _is(sample, "time")]
    if len(times) < len(half):
        return None
    loss_per_s = -slope_over(times, [level(sample) for sample in half])
    now = samples[-1][free]
    if loss_per_s * left_s <= now:
        return None
    in_s = now / loss_per_s
    text = (
        f"The {what} has {now / _GIB:.1f} GiB free and loses {3600 * loss_per_s / _GIB:.2g} GiB an hour: full in "
        f"{in_s / 3600:.1f} h, before the end in {left_s / 3600:.1f} h."
    )
    return Finding(
        check,
        _last_epoch(view),
        POSSIBLE,
        text,
        remedy,
        {"free_bytes": now, "bytes_per_s": loss_per_s, "full_in_s": in_s},
    )


def _seconds_left(view: View, samples: Sequence[Mapping[str, Any]]) -> float | None:
    """Return the seconds until the last planned epoch; None where that is not known or the run has ended."""
    planned, done = view.plan.get("epochs"), _last_epoch(view)
    seconds = [v for v in view.series("seconds").values() if v > 0]
    if view.facts.get("ended") or not isinstance(planned, int) or not done:
        return None
    each = median(seconds[-5:]) if seconds else (samples[-1]["time"] - samples[0]["time"]) / done
    return max(0.0, (planned - done) * each)


def _last_epoch(view: View) -> int | None:
    return list(view.rows)[-1] if view.rows else None


def _is(values: Mapping[str, Any], name: str) -> bool:
    value = values.get(name)
    return isinstance(value, int | float) and not isinstance(value, bool)
