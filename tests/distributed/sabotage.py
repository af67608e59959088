"""Ways to break the package on purpose: rows that still pass then would prove nothing."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any
from unittest import mock

from tests.distributed.cases import Case

KINDS = {
    "reduction": "gradients are not averaged over ranks",
    "statistics": "synchronized batch normalization uses only its own rank's statistics",
    "shares": "ranks with fewer samples weigh as much as others",
}

_active: list[str] = []


def active() -> bool:
    """Return whether anything is broken at the moment."""
    return bool(_active)


def concerns(kind: str, case: Case, ranks: int) -> bool:
    """Return whether a row must notice the sabotage."""
    if kind == "statistics":
        return case.norm == "sync" and case.samples > 1
    if kind == "shares":
        return case.is_uneven(ranks) and case.samples > 1
    return True


@contextlib.contextmanager
def applied(kind: str) -> Iterator[None]:
    """Break one thing for a while."""
    from ddl.distributed.gradients import step_share
    from ddl.distributed.keras_patches import batch_norm, optimizer

    def local_moments(inputs: Any, axes: list[int], mask: Any = None) -> Any:
        import tensorflow as tf

        return tf.nn.moments(inputs, axes)

    patches = {
        "reduction": mock.patch.object(
            optimizer.Reduction, "average", lambda _, gradients: list(gradients)
        ),
        "statistics": mock.patch.object(batch_norm, "global_moments", local_moments),
        "shares": mock.patch.object(step_share, "weighed", lambda tensor, share: tensor),
    }
    with patches[kind]:
        _active.append(kind)
        try:
            yield
        finally:
            _active.pop()
