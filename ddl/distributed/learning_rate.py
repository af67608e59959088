"""The learning rate for N ranks as a function of the global step: scaled, with optional warm-up."""

from __future__ import annotations

import math
from typing import Any

from ddl.distributed import runtime
from ddl.ranges import check_choice

RULES = ("linear", "sqrt", "none")


def scale_factor(rule: str, ranks: float) -> float:
    """Return the factor by which `ranks` ranks scale the base learning rate.

    "linear" suits SGD (a step over N times the samples is N times as long), "sqrt" adaptive optimizers, and
    "none" an unchanged global batch. `ranks` may be a fraction, for a batch that is not a multiple of one rank's.
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
    """Return the learning rate for `ranks` ranks, as an argument for a Keras optimizer.

        optimizer = keras.optimizers.SGD(dist.scaled_learning_rate(0.1, warmup_steps=500))

    With `warmup_steps` the rate rises linearly from the base rate to the scaled rate in that many global steps. It is
    Keras's own `PolynomialDecay`, so a saved model loads in plain Keras. It depends only on the optimizer's step, so
    a resumed run continues with the same rates.

    Args:
        learning_rate: base learning rate, for one rank.
        ranks: number of ranks (default: the size of this job).
        scaling: "linear", "sqrt" or "none".
        warmup_steps: number of optimizer steps. With gradient accumulation Keras counts micro-batches.
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
