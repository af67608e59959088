"""Step time on N ranks, from one rank's step time, the gradients' sizes and the network. Pure NumPy.

An alpha-beta model: a message of B bytes takes `latency_s + B / bytes_per_s`. Gradients come out of the backward pass
from the last layer to the first. They travel in buckets of a fixed size, as in `ddl.distributed`. Or, as in Horovod
alone, all gradients that are ready when a reduction ends travel in one buffer. The step waits for the reductions that
the backward pass does not hide.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from ddl.distributed.gradients.buckets import in_buckets
from ddl.ranges import check_choice

ALGORITHMS = ("ring", "tree", "hierarchical")
BACKWARD_PART = 2 / 3
"""Share of a step's computation: the backward pass has two products where the forward pass has one."""
_SUMS_BYTES = 2048
"""Two sums of 128 channels, in float64."""


@dataclass(frozen=True)
class Network:
    """The network between ranks."""

    gbit: float  # nominal speed of a host's link
    latency_s: float = 20e-6  # of a message between two hosts, software included
    ranks_per_host: int = 1  # ranks that share the link
    efficiency: float = 0.8  # fraction of the link's speed that TCP or RoCE reaches
    local_gbit: float = 80.0  # speed between ranks of one host
    local_latency_s: float = 5e-6

    @property
    def bytes_per_s(self) -> float:
        """Bandwidth of the link in one direction."""
        return self.gbit * 1e9 / 8 * self.efficiency


@dataclass(frozen=True)
class Work:
    """The step of one rank alone.

    `norm_reductions` is the number of small reductions within a step, which nothing hides: two per layer with
    synchronized normalization, one forward and one backward.
    """

    step_s: float  # forward pass, backward pass and update, without reductions
    gradient_bytes: Sequence[int] = ()  # of each trainable variable, first layer first
    samples: int = 1
    sample_bytes: float = 0.0  # read from shared storage per sample; 0 for data in memory
    jitter: float = 0.0  # standard deviation of the step time, as a fraction of it
    norm_reductions: int = 0


@dataclass(frozen=True)
class Setting:
    """The settings of a user."""

    algorithm: str = "ring"  # one of `ALGORITHMS`
    fusion_bytes: int = 128 << 20  # buffer size (HOROVOD_FUSION_THRESHOLD)
    buckets: bool = False  # whether each buffer has fixed variables; else those that are ready
    cycle_s: float = 1e-3  # between two checks for ready gradients (HOROVOD_CYCLE_TIME)
    compression: float = 1.0  # bytes on the wire per byte of gradient: 0.5 for bf16 and fp16
    accumulation: int = 1  # steps per update; only the last one reduces
    storage_bytes_per_s: float = math.inf  # of shared storage, for all ranks together
    synchronizes_norm: bool = True  # whether synchronized layers stay synchronized


@dataclass(frozen=True)
class Projection:
    """The step on N ranks, and the parts that make it longer than one rank's."""

    ranks: int
    step_s: float  # averaged over the steps of an update
    compute_s: float  # one rank alone
    reduction_s: float  # all reductions, hidden or not
    exposed_s: float  # the part of them that the step waits for
    straggler_s: float  # waiting for the slowest rank
    norm_reduction_s: float  # synchronized normalization's reductions
    input_s: float  # waiting for the shared storage

    @property
    def efficiency(self) -> float:
        """Throughput divided by N times that of one rank."""
        return self.compute_s / self.step_s

    @property
    def speedup(self) -> float:
        """Throughput divided by that of one rank."""
        return self.ranks * self.efficiency


def reduce_s(size_bytes: float, ranks: int, network: Network, algorithm: str = "ring") -> float:
    """Return the seconds of one all-reduce of `size_bytes` over `ranks` ranks, 0 for one rank.

    ring: every rank sends 2 (n - 1) n-th parts to its neighbour; hosts are entered and left once.
    tree: the whole message goes up and down log2(n) levels.
    hierarchical: a ring in each host, then rings over hosts on the parts, then a ring in each host.
    """
    check_choice("algorithm", algorithm, ALGORITHMS)
    if ranks <= 1:
        return 0.0
    local = min(ranks, network.ranks_per_host)
    hosts = math.ceil(ranks / local)
    if algorithm == "tree":
        levels, local_levels = (hosts - 1).bit_length(), (local - 1).bit_length()
        inside = 2 * local_levels * _message_s(size_bytes, network, is_local=True)
        return inside + 2 * levels * _message_s(size_bytes, network, is_local=False)
    if hosts == 1 or algorithm == "ring":
        # A ring goes at the pace of its slowest link.
        part = size_bytes / ranks
        return 2 * (ranks - 1) * _message_s(part, network, is_local=hosts == 1)
    inside = 2 * (local - 1) * _message_s(size_bytes / local, network, is_local=True)
    # The host's ranks run their rings at once, and share the link.
    return inside + 2 * (hosts - 1) * _message_s(size_bytes / hosts, network, is_local=False)


def reductions(
    work: Work, network: Network, setting: Setting, ranks: int
) -> list[tuple[float, float, float]]:
    """Return (start, end, bytes that travel) of each reduction of a step, in seconds from the step's start.

    The model assumes that gradients appear at equal distances, the last layer's first. Without buckets, all gradients
    that are ready when a reduction ends travel together, as many as a buffer holds.
    """
    backward_s = work.step_s * BACKWARD_PART
    count = len(work.gradient_bytes)
    ready_s = work.step_s - backward_s + backward_s / max(count, 1) * np.arange(1, count + 1)
    sizes = [size * setting.compression for size in reversed(work.gradient_bytes)]
    # Ranks agree on ready gradients by a small reduction once per cycle, after half a cycle on average.
    agree_s = setting.cycle_s / 2 + reduce_s(8, ranks, network, "tree")
    parcels = [len(bucket) for bucket in in_buckets(work.gradient_bytes, setting.fusion_bytes)]
    done: list[tuple[float, float, float]] = []
    end_s, first = 0.0, 0
    while first < count:
        last = first + parcels[len(done)] if setting.buckets else first + 1
        held = sum(sizes[first:last])
        start_s = max(end_s, float(ready_s[last - 1])) + agree_s
        while not setting.buckets and last < count and ready_s[last] <= start_s:
            if held + sizes[last] > setting.fusion_bytes:
                break
            held += sizes[last]
            last += 1
        end_s = start_s + reduce_s(held, ranks, network, setting.algorithm)
        done.append((start_s, end_s, held))
        first = last
    return done


def expected_maximum(ranks: int) -> float:
    """Return how many standard deviations the slowest of `ranks` lies above the mean (Blom's formula)."""
    return 0.0 if ranks <= 1 else NormalDist().inv_cdf((ranks - 0.375) / (ranks + 0.25))


def project(work: Work, network: Network, setting: Setting, ranks: int) -> Projection:
    """Return what a step takes on `ranks` ranks that have the same share of work each (weak scaling)."""
    done = reductions(work, network, setting, ranks) if ranks > 1 else []
    reduction_s = sum(end - start for start, end, _ in done)
    end_s = done[-1][1] if done else 0.0
    exposed_s = max(0.0, end_s - work.step_s) / setting.accumulation
    straggler_s = work.jitter * expected_maximum(ranks) * work.step_s
    norm_reduction_s = (
        work.norm_reductions * _norm_reduction_s(network, setting, ranks)
        if setting.synchronizes_norm
        else 0.0
    )
    busy_s = work.step_s + exposed_s + straggler_s + norm_reduction_s
    read_s = ranks * work.samples * work.sample_bytes / setting.storage_bytes_per_s
    input_s = max(0.0, read_s - busy_s)  # reading overlaps training
    return Projection(
        ranks,
        busy_s + input_s,
        work.step_s,
        reduction_s / setting.accumulation,
        exposed_s,
        straggler_s,
        norm_reduction_s,
        input_s,
    )


def _norm_reduction_s(network: Network, setting: Setting, ranks: int) -> float:
    """Return the mean seconds of a reduction of some channels' sums: latency counts, so MPI takes a tree.

    No gradients are sent in the forward pass, so Horovod's thread is idle until a normalization reduction arrives. In
    the backward pass gradients are sent too, and a reduction waits for half a cycle on average.
    """
    if ranks <= 1:
        return 0.0
    agree_s = setting.cycle_s / 4 + reduce_s(8, ranks, network, "tree")
    return agree_s + reduce_s(_SUMS_BYTES, ranks, network, "tree")


def _message_s(size_bytes: float, network: Network, *, is_local: bool) -> float:
    if is_local:
        return network.local_latency_s + size_bytes / (network.local_gbit * 1e9 / 8)
    return network.latency_s + size_bytes / network.bytes_per_s
