"""Nothing is waited for after the last step of an epoch.

The settings that see to it are kept by `tests/data/batches/test_pipeline.py` (tf.data's autotune) and, for MPI's
spinning, by `tests/distributed/test_runtime.py`. Here it is the time that counts, whatever may cause a wait: autotune
alone, put on again, stalled `fit` on NumPy arrays, but not our batches.
"""

from __future__ import annotations

import pytest

from ddl.benchmark.runner import Setup, run_trial
from ddl.benchmark.trial import Trial

STALL_S = 0.5
"""After 2 s of steps tf.data's optimiser, where it is on, sleeps until 2.5 s, and after 3 s until 5.1 s."""


@pytest.mark.proof
@pytest.mark.alone
def test_nothing_is_waited_for_after_the_last_step() -> None:
    small = {"image_size": 64, "model_option": {"width": 8, "depth": 2, "norm": "none"}}
    found = run_trial(
        Setup(Trial(way="benchmarks.keras_fit:fit_on_pipeline", samples=800, epochs=3, **small))
    )
    assert sum(found["epoch_s"]) > 2.0  # long enough for it to show
    assert min(found["after_last_step_s"]) < STALL_S
    assert sorted(found["after_last_step_s"])[1] < STALL_S  # one may be the machine's own
