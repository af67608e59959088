"""The cost model held against ranks of this machine: a row for each scaling that has been measured."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from ddl.benchmark.cost_model import Network, Setting, Work, project
from ddl.benchmark.projection import traffic_of
from ddl.benchmark.result import markdown, shown
from ddl.benchmark.trial import Trial
from ddl.distributed.buckets import BUCKET_BYTES
from ddl.models.zoo import build_model


def model_table(
    scalings: Mapping[str, Mapping[str, Any]],
    wires: Mapping[int, Mapping[str, Any]],
    jitters: Mapping[str, float],
) -> str:
    """Return what each scaling gave, and what the model says.

    Args:
        scalings: what was trained -> its result.
        wires: number of ranks -> the result of an all-reduce on so many.
        jitters: model -> standard deviation of its steps that wait for nobody, as a share of one.
    """
    rows = []
    for what, result in scalings.items():
        jitter = jitters.get(result["setups"][result["base"]]["trial"]["model"], 0.0)
        for name, ratios in result["ratios"].items():
            ranks = result["setups"][name]["ranks"]
            if ranks in wires:
                speedup = predicted(result, ranks, wires[ranks], jitter)
                rows.append([what, str(ranks), shown(ratios), f"{speedup:.2f}"])
    return markdown(["Cost model", "ranks", "times one rank, measured", "model"], rows)


def predicted(
    result: Mapping[str, Any], ranks: int, wire: Mapping[str, Any], jitter: float
) -> float:
    """Return how many times one rank the model gives to `ranks` of them, which share the machine's cores."""
    first = result["setups"][result["base"]]
    trial = Trial(**first["trial"])
    alone_s = trial.per_rank_batch_size / result["values"][result["base"]]["median"]
    shape = (trial.image_size, trial.image_size, trial.channels)
    model = build_model(trial.model, shape, trial.model_classes, **trial.model_option)
    sizes, meetings = traffic_of(model)
    crowd = ranks * first["threads"] / result["facts"]["cores"]
    # From one meeting to the next is too short a time for a scheduler to share cores out: ranks take whole turns.
    by_turns: float = max(1.0, math.ceil(crowd) if meetings else crowd)
    work = Work(alone_s * by_turns, sizes, jitter=jitter, meetings=meetings)
    travels = 1.0 if trial.compression == "none" else 0.5
    setting = Setting(fusion_bytes=BUCKET_BYTES, buckets=True, cycle_s=0.0, compression=travels)
    return project(work, network_of(wire), setting, ranks).speedup / by_turns


def network_of(wire: Mapping[str, Any]) -> Network:
    """Return ranks of one machine as they were measured: what they agree by is part of an all-reduce's latency."""
    messages = 2 * (wire["ranks"] - 1) + 2 * (wire["ranks"] - 1).bit_length()
    return Network(
        gbit=1.0,  # there is no other host
        ranks_per_host=wire["ranks"],
        local_gbit=wire["mb_per_s"] * 8e-3,
        local_latency_s=wire["latency_s"] / messages,
    )
