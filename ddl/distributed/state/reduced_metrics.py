"""Metrics over all ranks: the value that one process would print, with every sample counted once.

A Keras metric keeps sums and counts, and each variable defines how replicas combine it (`aggregation`). Here the
variables are combined over ranks by that rule, and the metric computes its result from them. Shards of different
sizes therefore get the right weight.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np

from ddl.distributed import runtime
from ddl.distributed.state.variables import assign, flat, split_like


def reduced_results(model: keras.Model) -> dict[str, Any]:
    """Return `model.get_metrics_result()` as if one process had seen all samples. All ranks must call it."""
    with reduced_state(model):
        results: dict[str, Any] = type(model).get_metrics_result(model)
        return {name: keras.ops.convert_to_numpy(value) for name, value in results.items()}


@contextlib.contextmanager
def reduced_state(model: keras.Model) -> Iterator[None]:
    """Give the model's metrics the state over all ranks inside the block. All ranks must enter it."""
    variables = list(model.metrics_variables)
    kept = [variable.numpy() for variable in variables]
    assign(variables, reduced_values(variables))
    try:
        yield
    finally:
        assign(variables, kept)


def reduced_values(variables: list[keras.Variable]) -> list[np.ndarray]:
    """Return the variables' values combined over ranks, each by its `aggregation`.

    One reduction in float64 carries all sums and rank 0's values.
    """
    values = [np.asarray(variable.numpy(), dtype=np.float64) for variable in variables]
    if runtime.size() == 1 or not values:
        return values
    own = flat(values)
    totals, roots = runtime.allreduce(np.stack([own, own if runtime.is_root() else 0 * own]), "sum")
    combined = []
    for variable, total, root in zip(
        variables, split_like(totals, values), split_like(roots, values), strict=True
    ):
        by_aggregation = {"mean": total / runtime.size(), "only_first_replica": root}
        combined.append(by_aggregation.get(variable.aggregation, total))
    return combined
