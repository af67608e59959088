"""The cost model compared with ranks of one machine: a row for each measured scaling."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

from ddl.benchmark.cost_model import Network, Setting, Work, project
from ddl.benchmark.projection import traffic_of
from ddl.benchmark.reports import markdown, shown
from ddl.benchmark.trial import Workload
from ddl.distributed.gradients.buckets import BUCKET_BYTES
from ddl.models.zoo import build_model


def model_table(
    scalings: Mapping[str, Mapping[str, Any]],
    wires: Mapping[int, Mapping[str, Any]],
    jitters: Mapping[str, float],
) -> str:
    """Return a table of each measured scaling and the model's prediction.

    Args:
        scalings: description -> result of a scaling.
        wires: number of ranks -> result of an all-reduce on so many ranks.
        jitters: model -> standard deviation of independent steps, as a fraction of one.
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
    """Return the predicted speedup of `ranks` ranks that share the machine's cores."""
    first = result["setups"][result["base"]]
    names = {field.name for field in dataclasses.fields(Workload)}
    work = Workload(**{name: first["trial"][name] for name in names & set(first["trial"])})
    alone_s = work.per_rank_batch_size / result["values"][result["base"]]["median"]
    shape = (work.image_size, work.image_size, work.channels)
    model = build_model(work.model, shape, work.model_classes, **work.model_option)
    sizes, norm_reductions = traffic_of(model)
    crowd = ranks * first["threads"] / result["facts"]["cores"]
    # Between two reductions of normalization there is no time to share cores: ranks take whole turns.
    by_turns: float = max(1.0, math.ceil(crowd) if norm_reductions else crowd)
    step = Work(alone_s * by_turns, sizes, jitter=jitter, norm_reductions=norm_reductions)
    travels = 1.0 if work.compression == "none" else 0.5
    setting = Setting(fusion_bytes=BUCKET_BYTES, buckets=True, cycle_s=0.0, compression=travels)
    return project(step, network_of(wire), setting, ranks).speedup / by_turns


def network_of(wire: Mapping[str, Any]) -> Network:
    """Return the network between ranks of one machine; a measured latency includes the agreement on what is ready."""
    messages = 2 * (wire["ranks"] - 1) + 2 * (wire["ranks"] - 1).bit_length()
    return Network(
        gbit=1.0,  # there is no other host
        ranks_per_host=wire["ranks"],
        local_gbit=wire["mb_per_s"] * 8e-3,
        local_latency_s=wire["latency_s"] / messages,
    )
