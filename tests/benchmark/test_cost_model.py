"""The cost model: what must hold whatever the numbers, and what was published with its inputs."""

from __future__ import annotations

import itertools
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ddl.benchmark.cost_model import (
    ALGORITHMS,
    BACKWARD_PART,
    Network,
    Setting,
    Work,
    expected_maximum,
    project,
    reduce_s,
    reductions,
)
from tests.launch import REPOSITORY

RANKS = st.integers(2, 1024)
SIZES = st.lists(st.integers(4, 400_000_000), min_size=1, max_size=50)
NETWORKS = st.builds(
    Network,
    gbit=st.floats(1, 400),
    latency_s=st.floats(1e-6, 1e-3),
    ranks_per_host=st.sampled_from([1, 2, 4, 8]),
)
PUBLISHED = json.loads((REPOSITORY / "benchmarks/published.json").read_text())


def test_a_ring_by_hand() -> None:
    """Four ranks, a byte a nanosecond, 1 ms of latency: six messages of a quarter."""
    network = Network(gbit=8, latency_s=1e-3, efficiency=1.0)
    assert reduce_s(4_000_000, 4, network, "ring") == pytest.approx(6 * (1e-3 + 1e-3))
    assert reduce_s(4_000_000, 4, network, "tree") == pytest.approx(4 * (1e-3 + 4e-3))
    assert reduce_s(4_000_000, 1, network) == 0


@given(st.floats(1, 1e9), RANKS, NETWORKS, st.sampled_from(ALGORITHMS))
def test_more_bytes_and_a_slower_link_never_take_less(
    size: float, ranks: int, network: Network, algorithm: str
) -> None:
    seconds = reduce_s(size, ranks, network, algorithm)
    assert seconds > 0
    assert reduce_s(size * 2, ranks, network, algorithm) > seconds
    slower = Network(network.gbit / 2, network.latency_s, network.ranks_per_host)
    assert reduce_s(size, ranks, slower, algorithm) >= seconds


@given(st.floats(1, 1e9), RANKS, st.floats(1, 400))
def test_no_ring_beats_the_bytes_that_must_cross_a_link(
    size: float, ranks: int, gbit: float
) -> None:
    network = Network(gbit)
    bound = 2 * (ranks - 1) / ranks * size / network.bytes_per_s
    assert reduce_s(size, ranks, network) >= bound
    assert reduce_s(size, ranks, network) == pytest.approx(
        bound + 2 * (ranks - 1) * network.latency_s
    )


@given(st.floats(1, 1e9), RANKS, st.floats(1, 400))
def test_with_one_rank_a_host_hierarchical_is_a_ring(size: float, ranks: int, gbit: float) -> None:
    network = Network(gbit)
    assert reduce_s(size, ranks, network, "hierarchical") == pytest.approx(
        reduce_s(size, ranks, network, "ring")
    )


@given(SIZES, RANKS, NETWORKS, st.floats(1e-3, 10), st.integers(1, 1 << 28), st.booleans())
def test_every_byte_travels_once_and_not_before_it_is_there(
    sizes: list[int],
    ranks: int,
    network: Network,
    step_s: float,
    fusion_bytes: int,
    buckets: bool,
) -> None:
    setting = Setting(fusion_bytes=fusion_bytes, buckets=buckets)
    done = reductions(Work(step_s, sizes), network, setting, ranks)
    assert sum(size for _, _, size in done) == sum(sizes)
    assert all(size <= fusion_bytes or size in sizes for _, _, size in done)
    assert done[0][0] > step_s * (1 - BACKWARD_PART)
    assert done[-1][1] > step_s  # the first layer's come out when the backward pass ends
    assert all(end <= start for (_, end, _), (start, _, _) in itertools.pairwise(done))


@given(SIZES, RANKS, NETWORKS, st.floats(1e-3, 10))
def test_a_step_is_the_sum_of_its_parts_and_no_rank_speeds_another_up(
    sizes: list[int], ranks: int, network: Network, step_s: float
) -> None:
    found = project(Work(step_s, sizes, jitter=0.01, norm_reductions=3), network, Setting(), ranks)
    parts = found.compute_s + found.exposed_s + found.straggler_s + found.norm_reduction_s
    assert found.step_s == pytest.approx(parts + found.input_s)
    assert 0 < found.efficiency <= 1


def test_one_rank_waits_for_nobody() -> None:
    found = project(Work(0.5, [1 << 30], jitter=0.1), Network(1), Setting(), 1)
    assert found.efficiency == 1
    assert expected_maximum(1) == 0 < expected_maximum(2) < expected_maximum(512) < 3.1


def test_compression_halves_and_accumulation_divides_what_is_waited_for() -> None:
    work, network = Work(0.1, [1 << 26] * 16), Network(10)
    every = project(work, network, Setting(), 8)
    half = project(work, network, Setting(compression=0.5), 8)
    assert half.exposed_s < every.exposed_s / 2  # the backward pass hides as much of less
    fourth = project(work, network, Setting(accumulation=4), 8)
    assert fourth.exposed_s == pytest.approx(every.exposed_s / 4)


def test_one_bucket_for_all_hides_nothing_behind_the_backward_pass() -> None:
    work, network = Work(0.1, [1 << 22] * 16), Network(10)
    one = project(work, network, Setting(buckets=True), 8)
    four = project(work, network, Setting(fusion_bytes=16 << 20, buckets=True), 8)
    assert one.exposed_s == pytest.approx(one.reduction_s + 0.5e-3, abs=1e-3)
    assert four.exposed_s < one.exposed_s


def test_synchronized_layers_meet_by_hand() -> None:
    """Two ranks of a host, 1 ms of latency: 2 messages to agree, 2 of the sums, ten times; and five half cycles."""
    network = Network(10, ranks_per_host=2, local_gbit=1e9, local_latency_s=1e-3)
    work = Work(0.1, [4], norm_reductions=10)
    assert project(work, network, Setting(), 2).norm_reduction_s == pytest.approx(42.5e-3)
    assert project(work, network, Setting(synchronizes_norm=False), 2).norm_reduction_s == 0
    assert project(work, network, Setting(), 1).norm_reduction_s == 0


def test_shared_storage_bounds_all_ranks_together() -> None:
    work = Work(0.1, [4], samples=8, sample_bytes=1e6)
    setting = Setting(storage_bytes_per_s=1e9)
    assert project(work, Network(100), setting, 8).input_s == 0
    assert project(work, Network(100), setting, 64).step_s == pytest.approx(64 * 8 * 1e6 / 1e9)


@pytest.mark.parametrize("entry", PUBLISHED["tables"], ids=lambda entry: entry["name"])
def test_published_efficiencies_are_met_within_three_points(entry: dict) -> None:
    """The inputs are written down beside them; the network's were chosen with these rows in view, once for all."""
    found = project(
        Work(
            entry["samples"] / entry["samples_per_s"],
            entry["gradient_bytes"],
            jitter=PUBLISHED["jitter"],
        ),
        Network(
            entry["gbit"],
            entry["latency_s"],
            entry["ranks_per_host"],
            entry["link_efficiency"],
            entry["local_gbit"],
        ),
        Setting(),
        entry["ranks"],
    )
    assert found.efficiency == pytest.approx(entry["efficiency"], abs=0.03)


def test_an_unknown_algorithm_is_named() -> None:
    with pytest.raises(ValueError, match=r"algorithm='star'. Expected one of: ring"):
        reduce_s(1, 2, Network(1), "star")
