"""The learning rate for N ranks, as a function of the global step: scaled by the ranks, warmed up from one rank's."""

from __future__ import annotations

import math
from typing import Any

from ddl.distributed import runtime
from ddl.ranges import check_choice

RULES = ("linear", "sqrt", "none")


def scale_factor(rule: str, ranks: float) -> float:
    """Return what the learning rate of one rank is multiplied by for `ranks` ranks.

    "linear" for SGD (the step over N times the samples is N times as long), "sqrt" for adaptive optimizers,
    "none" where the global batch stays what it was. A batch that is no multiple of one rank's counts as a fraction.
    """
    check_choice("scaling", rule, RULES)
    if not ranks > 0:
        raise ValueError(f"Received: ranks={ranks}. Expected: above 0.")
    return {"linear": float(ranks), "sqrt": math.sqrt(ranks), "none": 1.0}[rule]


def scaled_learning_rate(
    learning_rate: float,
    *,
    ranks: int | None = None,
    scaling: str = "linear",
    warmup_steps: int = 0,
) -> Any:
    """Return the learning rate for `ranks` ranks, to be given to a Keras optimizer.

    With `warmup_steps` it rises in a straight line from one rank's learning rate to the scaled one in that many
    global steps, as Keras's own `PolynomialDecay`: a saved model loads in plain Keras, and a resumed run goes on where
    it stopped, since nothing but the optimizer's step counts.

    Args:
        learning_rate: what one rank would use.
        ranks: default: those of this job.
        scaling: "linear", "sqrt" or "none".
        warmup_steps: optimizer steps. With gradient accumulation Keras counts micro-batches.
    """
    if not (isinstance(learning_rate, int | float) and 0 < learning_rate < math.inf):
        raise ValueError(f"Received: learning_rate={learning_rate!r}. Expected: a number above 0.")
    if not (isinstance(warmup_steps, int) and warmup_steps >= 0):
        raise ValueError(
            f"Received: warmup_steps={warmup_steps!r}. Expected: 0 or a whole number of steps."
        )
    target = learning_rate * scale_factor(scaling, runtime.size() if ranks is None else ranks)
    if not warmup_steps:
        return target
    import keras

    return keras.optimizers.schedules.PolynomialDecay(
        initial_learning_rate=learning_rate,
        decay_steps=warmup_steps,
        end_learning_rate=target,
        power=1.0,
        name="warmup",
    )
