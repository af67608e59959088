"""A custom `train_step` with compiled metrics, and every other form of the guides: global logs on every rank."""

from __future__ import annotations

import numpy as np
import pytest

from tests.distributed.keras_patches import step_forms
from tests.ranks import call_ranks

RANKS = 2


LIKE = {
    "compiled_metrics_run_eagerly": "numbers_of_an_eager_step",
    "sample_weights": "compiled_metrics_by_name",
    "several_losses_with_trackers": "own_metrics",
    "own_compute_loss": "keras_own_step",
}
"""Form -> the one in the first tier that takes the same way."""


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=pytest.mark.proof) if name in LIKE else name
        for name in step_forms.FORMS
    ],
)
def test_logs_of_every_form_of_step_are_those_of_one_process(name: str) -> None:
    whole = step_forms.logs_of(name)
    first, *others = call_ranks(step_forms.logs_of, name, ranks=RANKS)
    assert others == [first] * (RANKS - 1)
    assert first.keys() == whole.keys()
    for key, values in whole.items():
        np.testing.assert_allclose(first[key], values, rtol=2e-5, err_msg=key)


@pytest.mark.parametrize("name", step_forms.REFUSED)
def test_a_log_that_cannot_be_global_is_refused(name: str) -> None:
    for message in call_ranks(step_forms.refusal_of, name, ranks=RANKS):
        assert (
            "a train_step that returns 'rmse', which is computed from a metric's result" in message
        )


@pytest.mark.parametrize(("hook", "steps"), [("batch", 2), ("epoch", 18)])
def test_all_ranks_stop_where_one_rank_stops(hook: str, steps: int) -> None:
    assert call_ranks(step_forms.steps_taken, hook, ranks=RANKS) == [steps] * RANKS


def test_early_stopping_on_a_custom_step_decides_alike() -> None:
    epochs = call_ranks(step_forms.epochs_of_early_stopping, ranks=RANKS)
    assert len(set(epochs)) == 1
