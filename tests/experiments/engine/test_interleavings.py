"""Whatever dies, gets lost or comes late: never two attempts that train, and every wanted one trains to its end."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.experiments.engine.world import World, described

SEEDS = st.integers(0, 2**32)
NODES = ["server", "cluster"]


@pytest.mark.parametrize("node", NODES)
@settings(max_examples=60, deadline=None)
@given(seed=SEEDS, managers=st.integers(1, 3), faults=st.sampled_from([0.0, 0.3, 1.0, 3.0]))
def test_at_most_one_attempt_trains_and_the_training_ends(node, seed, managers, faults):
    world = World(node, seed)
    world.run(1500.0, managers, faults)
    world.settle()
    assert world.most_at_once <= 1, described(world)
    assert world.outcome() == "finished", described(world)


@pytest.mark.parametrize("node", NODES)
def test_without_faults_each_attempt_trains_once(node):
    world = World(node, 1)
    world.settle()
    assert world.trained == [1, 2, 3]
    assert len(world.jobs) == 3


@pytest.mark.parametrize("node", NODES)
@settings(max_examples=40, deadline=None)
@given(seed=SEEDS, faults=st.sampled_from([0.3, 2.0]))
def test_what_is_stopped_at_any_moment_ends_and_resumes(node, seed, faults):
    world = World(node, seed)
    world.run(200.0 * world.chance.random(), 2, faults)
    world.copy_of_wishes(want="stop")
    world.run(300.0, 2, faults)
    world.settle()
    assert not [job for job in world.jobs if job.state != "ended"], described(world)
    assert not [job for job in world.jobs if job.process and job.process.alive], described(world)
    world.calm = False
    world.copy_of_wishes(want="run", first_attempt=max(world.files, default=0) + 1)
    world.run(300.0, 2, faults)
    world.settle()
    assert world.most_at_once <= 1, described(world)
    assert world.outcome() == "finished", described(world)
