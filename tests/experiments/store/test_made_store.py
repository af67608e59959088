"""The stores that tests make are in the states that they name."""

from __future__ import annotations

import pytest

from ddl.experiments.states import STATES
from tests.experiments.made_store import MadeStore


@pytest.mark.parametrize("state", STATES)
def test_a_made_experiment_is_in_its_state(tmp_path, state):
    made = MadeStore(tmp_path / "store")
    made.experiment(state)
    (found,) = made.view().experiments
    assert found.state == state
