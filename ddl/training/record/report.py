"""The report at the end of a run: rates, time to target, each rank's peak memory and traffic. No Keras here."""

from __future__ import annotations

import json
import logging
import resource
import sys
from collections.abc import Sequence
from typing import Any

from ddl.files import write_whole
from ddl.progress import duration
from ddl.training.ending import why_over
from ddl.training.record.rates import Rates
from ddl.training.record.run_dir import spare_training
from ddl.training.run import Run

REPORT_NAME = "report.json"

logger = logging.getLogger("ddl")

_LISTED_RANKS = 8
_MAXRSS_UNIT = 1 if sys.platform == "darwin" else 1024


def peak_memory_mb() -> float:
    """Return the most main memory that this process has had, in megabytes."""
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _MAXRSS_UNIT / 1e6, 1)


def own_use() -> tuple[float, float]:
    """Return this process's peak memory in megabytes, and the MiB that it has handed to Horovod in its steps."""
    from ddl.distributed.gradients import traffic

    return peak_memory_mb(), round(traffic.sent_bytes() / 2**20, 6)


def make_report(
    run: Run, rates: Rates, peaks_mb: Sequence[float], sent_mib: Sequence[float] = ()
) -> dict[str, Any]:
    """Return the facts of a run that has ended, as JSON values.

    Seconds are those of the history, so they include all starts. Rates, memory and traffic are those of this start.

    Args:
        run: after its last epoch.
        rates: of rank 0.
        peaks_mb: peak memory of each rank.
        sent_mib: what each rank has sent in its steps; left out if none has.
    """
    plan, history = run.plan, run.history
    report: dict[str, Any] = {
        "epochs": len(history),
        "ended_because": "a callback ended it" if run.ends_early else why_over(plan, history),
        "training_s": round(sum(epoch["seconds"] for epoch in history), 3),
        "samples_per_s": round(rates.overall, 1),
        "samples_per_s_last_half": round(rates.last_half, 1),
        "peak_memory_mb": list(peaks_mb),
        **({"sent_mib": list(sent_mib)} if any(sent_mib) else {}),
    }
    if plan.goal is not None:
        seconds = plan.goal.seconds(history)
        report |= {
            "target": str(plan.goal),
            "target_epoch": plan.goal.reached_in(history),
            "time_to_target_s": None if seconds is None else round(seconds, 3),
        }
    return report


def report_lines(report: dict[str, Any]) -> list[str]:
    """Return the report as sentences for the log."""
    lines = []
    epochs, seconds = report["epochs"], report["training_s"]
    if report["samples_per_s"]:
        lines.append(
            f"Training took {duration(seconds)} for {epochs} epochs: {report['samples_per_s']:.1f} samples/s in all "
            f"steps of this start, {report['samples_per_s_last_half']:.1f} in the last half of each epoch."
        )
    if "target" in report:
        target, reached_s = report["target"], report["time_to_target_s"]
        if reached_s is None:
            lines.append(f"The target {target} was not reached.")
        else:
            reached = f"in epoch {report['target_epoch']}, after {reached_s:.1f} s of training"
            lines.append(f"The target {target} was reached {reached}.")
    if "sent_mib" in report:
        most = max(report["sent_mib"])
        lines.append(f"In the steps of this start a rank has sent {most:.4g} MiB.")
    return [*lines, f"Peak memory: {_shown_peaks(report['peak_memory_mb'])}."]


def _shown_peaks(peaks_mb: Sequence[float]) -> str:
    """Return the peak of each rank, or of many ranks the least and the most."""
    texts = [f"{peak:.0f} MB on rank {rank}" for rank, peak in enumerate(peaks_mb)]
    if len(texts) <= _LISTED_RANKS:
        return ", ".join(texts)
    least, most = (peaks_mb.index(end(peaks_mb)) for end in (min, max))
    return f"from {texts[least]} to {texts[most]}"


def report_run(run: Run, rates: Rates, uses: Sequence[tuple[float, float]]) -> None:
    """Log the report, and write `report.json` into the run directory. Only rank 0 calls it, with all `own_use`."""
    report = make_report(run, rates, *zip(*uses, strict=True))
    for line in report_lines(report):
        logger.info("%s", line)
    text = json.dumps(report, indent=2) + "\n"
    with spare_training("the report"):
        write_whole(
            run.plan.run_dir / REPORT_NAME, lambda path: path.write_text(text, encoding="utf-8")
        )
