"""What all ranks find out about the training samples together, each from its own block. No TensorFlow here."""

from __future__ import annotations

import contextlib
import functools
import json
import operator
from collections.abc import Mapping
from typing import Any

import numpy as np

import ddl.distributed as dist
from ddl.data.inputs_and_targets import scaled
from ddl.data.normalization import ChannelSums, Normalization, sum_channels
from ddl.data.preprocessing import preprocessing_from_json
from ddl.data.sharding import shard_bounds
from ddl.data.source import Source
from ddl.distributed.on_ranks import on_all
from ddl.progress import Progress
from ddl.training.data.class_weights import (
    BALANCED,
    check_class_weight,
    class_weights,
    count_labels,
)
from ddl.training.plan.plan import Plan


def find_normalization(
    plan: Plan, samples: Source, facts: Mapping[str, Any] | None
) -> Normalization | None:
    """Return mean and deviation of each channel, the same bits on any number of ranks. All ranks must call it.

    Args:
        plan: says whether inputs are normalized.
        samples: the training samples, which are all read once.
        facts: those of the checkpoint that the run resumes from, which keeps its own numbers; None for a new run.
    """
    if plan.normalize == "none":
        return None
    if facts is not None:
        origin = "the checkpoint's preprocessing"
        kept = preprocessing_from_json(json.dumps(facts["preprocessing"]), origin).normalization
        if kept is None:
            raise ValueError(
                f"Received: {origin} without mean and deviation. Expected: both, in a checkpoint of normalize=channels."
            )
        return kept
    parts = dist.allgather(on_all(lambda: _own_sums(scaled(samples))))
    total: ChannelSums = functools.reduce(operator.add, parts)
    return total.normalization()


def find_class_weights(plan: Plan, samples: Source, classes: int) -> np.ndarray | None:
    """Return the weight of each class in the training loss; None for none. All ranks must call it.

    Raises:
        ValueError: on all ranks: a weight of a class that there is not, or a sample cannot be read.
    """
    check_class_weight(plan.class_weight, classes)
    counts = np.zeros(classes, np.int64)
    if plan.class_weight == BALANCED:
        bounds = shard_bounds(len(samples), dist.rank(), dist.size())
        own = on_all(lambda: count_labels(samples, classes, *bounds))
        counts = np.asarray(dist.allreduce(own, "sum"))
    return class_weights(plan.class_weight, counts)


def _own_sums(samples: Source) -> ChannelSums:
    """Return the sums over this rank's block."""
    start, end = shard_bounds(len(samples), dist.rank(), dist.size())
    if not dist.is_root():
        return sum_channels(samples, start, end)
    with contextlib.closing(Progress("samples read for normalize", end - start)) as progress:
        return sum_channels(samples, start, end, progress.show)
