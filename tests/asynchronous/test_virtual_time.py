"""What workers of any speed come to, with the real server and leases in virtual time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
import pytest

from ddl.asynchronous.ages import AgeRules
from ddl.asynchronous.epoch_leases import Lease
from ddl.asynchronous.server_state import Push, ServerState, Snapshot
from ddl.asynchronous.virtual_time import Simulation, VirtualWorker
from ddl.data.order import SampleOrder
from ddl.training.plan.fields import OptimizerPlan, ParallelPlan, RunPlan
from tests.asynchronous.numpy_model import (
    NumpyWeights,
    gradient_of,
    initial_weights,
    loss_and_gradients,
    made_samples,
)
from tests.asynchronous.test_server_state import Counter as Adder

SAMPLES = made_samples(4000)


def trained(
    size: int, speeds: Sequence[float], *, epochs: int, rule: str = "adam", rate: float = 1e-3
) -> tuple[float, Simulation]:
    """Return the final loss of N workers at the default settings, and the simulation."""
    order = SampleOrder("global", 4000, RunPlan.per_rank_batch_size, size, 0)
    scaled = rate * {"adam": size**0.5, "momentum": size}[rule]
    warmup = OptimizerPlan.warmup_epochs * order.steps_per_epoch

    def rate_at(step: int) -> float:
        return rate + (scaled - rate) * min(1.0, (step + 1) / warmup)

    weights = NumpyWeights(rate_at, rule, initial_weights(0))
    rules = AgeRules(size, ParallelPlan.max_staleness, ParallelPlan.staleness_scaling)
    state = ServerState(weights, order, rules, ParallelPlan.lease_timeout_s)
    random = np.random.default_rng(1)
    workers = [
        VirtualWorker(f"w{n}", lambda speed=speed: speed * (1 + 0.1 * random.random()))  # type: ignore[misc]
        for n, speed in enumerate(speeds)
    ]
    simulation = Simulation(state, gradient_of(*SAMPLES), workers)
    for epoch in range(epochs):
        simulation.run_epoch(epoch)
    return loss_and_gradients(weights.arrays, *SAMPLES)[0], simulation


@pytest.mark.parametrize("epochs", [3, 8])
def test_16_workers_learn_what_one_learns(epochs: int) -> None:
    one, _ = trained(1, [1.0], epochs=epochs)
    many, simulation = trained(16, [1.0] * 16, epochs=epochs)
    assert simulation.state.epoch_results()["staleness_mean"] > 14
    assert many == pytest.approx(one, rel=0.1)


def test_16_workers_learn_what_one_learns_with_momentum() -> None:
    one, _ = trained(1, [1.0], epochs=5, rule="momentum", rate=0.005)
    many, _ = trained(16, [1.0] * 16, epochs=5, rule="momentum", rate=0.005)
    assert many == pytest.approx(one, rel=0.1)


def test_one_slow_worker_of_four_costs_little_time() -> None:
    """A step of synchronous training lasts as long as its slowest lease: 5 s, as those here do at most."""
    loss, simulation = trained(4, [1.0, 1.0, 1.0, 5.0], epochs=3)
    steps = 3 * simulation.state.order.steps_per_epoch
    alike, _ = trained(4, [1.0] * 4, epochs=3)
    assert simulation.now < 0.45 * 5.0 * steps
    assert loss == pytest.approx(alike, rel=0.1)
    assert simulation.state.epoch_results()["staleness_max"] <= 8


def applied_samples(order: SampleOrder) -> tuple[ServerState, Adder]:
    adder = Adder(order.count)
    return ServerState(adder, order, AgeRules(order.size), timeout_s=60), adder


def ones(lease: Lease, snapshot: Snapshot) -> Push:
    gradient = np.zeros(len(snapshot.arrays[0]))
    gradient[lease.indices] = 1
    return Push([gradient])


def test_8_workers_push_1000_times_each_in_virtual_time() -> None:
    order = SampleOrder("global", 8000, 1, 8, 0)
    adder = Adder()
    state = ServerState(adder, order, AgeRules(8), timeout_s=60)
    workers = [VirtualWorker(f"w{n}", 1.0) for n in range(8)]
    Simulation(state, lambda *_: Push([np.ones(1)]), workers).run_epoch(0)
    assert adder.values[0] == 8000


def test_5_deaths_in_3_epochs_lose_no_sample() -> None:
    order = SampleOrder("global", 203, 2, 4, 7)
    state, adder = applied_samples(order)
    workers = [
        *(VirtualWorker(f"w{n}", 1.0 + 0.1 * n) for n in range(4)),
        *(
            VirtualWorker(f"mortal-{n}", 1.3, joins_s=10.0 * n, dies_s=10.0 * n + 4.7)
            for n in range(5)
        ),
    ]
    simulation = Simulation(state, ones, workers, notice_s=2.0)
    for epoch in range(3):
        simulation.run_epoch(epoch)
    assert Counter(adder.values) == {3.0: 203}
    assert state.book.counts.lost == 5


def test_a_worker_stopped_for_90_s_loses_its_lease_and_nothing_else() -> None:
    order = SampleOrder("global", 400, 1, 2, 7)
    state, adder = applied_samples(order)
    workers = [VirtualWorker("steady", 1.0), VirtualWorker("stopped", 1.0, stalls=[(5.5, 90.0)])]
    simulation = Simulation(state, ones, workers)
    simulation.run_epoch(0)
    assert Counter(adder.values) == {1.0: 400}
    assert state.book.counts.expired == 1
    assert simulation.answers["known"] + simulation.answers.get("expired", 0) == 1


def test_a_worker_that_joins_takes_part() -> None:
    order = SampleOrder("global", 100, 1, 2, 7)
    alone, _ = applied_samples(order)
    first = Simulation(alone, ones, [VirtualWorker("a", 1.0)])
    first.run_epoch(0)
    joined, adder = applied_samples(order)
    second = Simulation(
        joined, ones, [VirtualWorker("a", 1.0), VirtualWorker("b", 1.0, joins_s=20.5)]
    )
    second.run_epoch(0)
    assert (first.now, round(second.now)) == (100.0, 60)
    assert Counter(adder.values) == {1.0: 100}


def test_an_epoch_that_nobody_can_finish_is_an_error() -> None:
    state, _ = applied_samples(SampleOrder("global", 10, 1, 2, 7))
    simulation = Simulation(state, ones, [VirtualWorker("a", 1.0, dies_s=3.5)])
    with pytest.raises(RuntimeError, match="No worker is left"):
        simulation.run_epoch(0)
