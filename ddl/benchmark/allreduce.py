"""All-reduce by message size: the latency and bandwidth that the cost model needs."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

import ddl.distributed as dist
from ddl.benchmark.reports import Result, markdown, report, rounded, shown, summary
from ddl.benchmark.runner import Setup, run_trial
from ddl.benchmark.trial import Trial
from ddl.doctor.allreduce import named_size
from ddl.options import convert_fields
from ddl.ranges import Range, check_ranges

SIZES_BYTES = (*(4 * 16**power for power in range(6)), 1 << 26)
_REPEATS = 15


@dataclass(frozen=True, kw_only=True)
class AllreduceRequest:
    """Measurement.

    Attributes:
        ranks: number of ranks.
        threads: threads per rank.
        rounds: number of jobs to start.
        output: path of the results without an ending; writes .json, .md and .png.
    """

    ranks: int = 2
    threads: int = 1
    rounds: int = 3
    output: Path | None = None

    def __post_init__(self) -> None:
        """Refuse settings that cannot be measured."""
        convert_fields(self)
        ranges = {**dict.fromkeys(("threads", "rounds"), Range(1, 1000)), "ranks": Range(2, 10**6)}
        check_ranges(vars(self), ranges, "a benchmark")

    def run(self) -> None:
        """Measure all-reduce, and report it."""
        setup = Setup(Trial(way=f"{__name__}:time_messages"), self.ranks, self.threads)
        trials = [run_trial(setup) for _ in range(self.rounds)]
        report(self.output, summarize(trials, self.ranks), allreduce_table, draw_allreduce)


def time_messages(trial: Trial) -> dict[str, Any]:
    """Reduce float32 tensors of each size, and return the median seconds. All ranks must call it."""
    dist.init()
    import tensorflow as tf

    seconds_of_bytes: dict[str, float] = {}
    for size in SIZES_BYTES:
        values = tf.ones(size // 4)
        seconds = []
        for _ in range(_REPEATS):
            dist.barrier()
            begin = time.perf_counter()
            if dist.size() > 1:
                hvd = dist.runtime.horovod()
                hvd.allreduce(values, op=hvd.Sum, name=f"allreduce.{size}")
            seconds.append(time.perf_counter() - begin)
        seconds_of_bytes[str(size)] = median(seconds[3:])  # the first ones warm up
    return {"seconds_of_bytes": seconds_of_bytes}


def summarize(trials: list[dict[str, Any]], ranks: int) -> Result:
    """Return seconds by message size, the latency (smallest message) and a ring's bandwidth (largest message)."""
    seconds = {
        size: summary([trial["seconds_of_bytes"][size] for trial in trials])
        for size in trials[0]["seconds_of_bytes"]
    }
    smallest, *_, largest = seconds
    return {
        "benchmark": "allreduce",
        "ranks": ranks,
        "seconds": seconds,
        "latency_s": seconds[smallest]["median"],
        "mb_per_s": _mb_per_s(int(largest), seconds[largest]["median"], ranks),
    }


def _mb_per_s(size: int, seconds: float, ranks: int) -> float:
    """Return the MB/s that each rank of a ring sends."""
    return 2 * (ranks - 1) / ranks * size / seconds / 1e6


def allreduce_table(result: Result) -> str:
    """Return a table with a row for each message size."""
    ranks = result["ranks"]
    rows = []
    for size, seconds in result["seconds"].items():
        milliseconds = {name: 1e3 * value for name, value in seconds.items()}
        speed = _mb_per_s(int(size), seconds["median"], ranks)
        rows.append([f"{int(size):,}", shown(milliseconds), rounded(speed)])
    return markdown(["bytes", f"ms on {ranks} ranks", "MB/s a rank sends"], rows)


def draw_allreduce(result: Result, path: Path) -> None:
    """Draw time over message size."""
    from ddl.training.record.figure import FOUND, new_figure

    sizes = [int(size) for size in result["seconds"]]
    with new_figure(path, 480, 320) as figure:
        axes = figure.add_subplot()
        medians = [1e3 * values["median"] for values in result["seconds"].values()]
        axes.plot(sizes, medians, color=FOUND, marker="o")
        axes.set_xscale("log", base=2)
        axes.set_yscale("log")
        # matplotlib writes powers as formulas, which our figures show unrendered; so name the ticks.
        axes.set_xticks(sizes, [named_size(size) for size in sizes])
        powers = 10.0 ** np.arange(*np.floor(np.log10([min(medians), 10 * max(medians)])))
        axes.set_yticks(powers, [f"{power:g}" for power in powers])
        axes.minorticks_off()
        axes.set_xlabel("message")
        axes.set_ylabel("ms")
        axes.set_title(f"all-reduce on {result['ranks']} ranks", loc="left", fontweight="bold")
