"""Refuses models that cannot be divided among ranks, before anything is written."""

from __future__ import annotations

import keras

import ddl.distributed as dist
from ddl.training.parallel.layers.rematerialize import blocks_of, check_masks
from ddl.training.parallel.partition.division import Division, divided
from ddl.training.parallel.partition.messages import point_to_point
from ddl.training.plan.modes.partition import groups_of_ranks
from ddl.training.run import Run


def division_of(model: keras.Model, run: Run) -> tuple[Division, list[tuple[int, int]], int]:
    """Return the model's parts, the blocks of `remat`, and the samples of the largest micro-batch."""
    plan = run.plan
    samples = -(-run.order.per_rank_batch_size // plan.micro_batches)
    division = divided(model, plan, samples)
    blocks = blocks_of(division.graph, plan.remat, samples) if plan.remat else []
    return division, blocks, samples


def check_partition(model: keras.Model, run: Run) -> None:
    """Refuse what the mode cannot do with this model, and an MPI that cannot send tensors. Every rank calls it.

    Raises:
        ValueError: it names the layer or the setting, and the remedy.
    """
    plan = run.plan
    point_to_point()
    if any(None in tensor.shape[1:] for tensor in model.inputs):
        raise ValueError(
            f"Received: partition={plan.partition} with pictures that differ in size. Expected: one size "
            "(image_size), or no partition."
        )
    check_masks(division_of(model, run)[0].graph, "partition")
    groups = groups_of_ranks(plan, dist.size())
    for layer in model._flatten_layers(include_self=False, recursive=True):
        _check_layer(layer, run, groups)


def _check_layer(layer: keras.layers.Layer, run: Run, groups: int) -> None:
    plan = run.plan
    if getattr(layer, "activity_regularizer", None) is not None:
        raise ValueError(
            f"Received: partition={plan.partition} with layer {layer.name}, which adds a loss of its output. Expected: "
            "a network without activity_regularizer."
        )
    if not isinstance(layer, keras.layers.BatchNormalization):
        return
    norm = "sync" if layer.synchronized else "batch"
    if plan.micro_batches > 1:
        raise ValueError(
            f"Received: norm={norm} with micro_batches={plan.micro_batches}: layer {layer.name} would normalize each "
            "micro-batch alone. Expected: norm=group or norm=none, or micro_batches=1."
        )
    if layer.synchronized and groups > 1:
        raise ValueError(
            f"Received: norm=sync with partition={plan.partition} on {dist.size()} ranks, which hold the model "
            f"{groups} times: layer {layer.name} would normalize each share of the batch alone. Expected: norm=group, "
            f"norm=none or norm=batch; or {dist.size() // groups} ranks."
        )
