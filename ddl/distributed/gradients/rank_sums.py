"""Sums over ranks inside a step, and the gradients of such sums."""

from __future__ import annotations

import tensorflow as tf

from ddl.distributed import runtime
from ddl.distributed.gradients import step_share, traffic
from ddl.distributed.timing.reduction_timer import timed

alone = step_share.Block()
"""True while a rank traces layers that the other ranks do not compute: it sums over its own samples."""


def over_ranks(values: tf.Tensor) -> tf.Tensor:
    """Return the sum over ranks. It defines no gradient; `back_over_ranks` computes it."""
    if runtime.size() == 1 or alone:
        return values
    hvd = runtime.horovod()
    traffic.count([values])
    return timed([values], lambda: hvd.allreduce(values, op=hvd.Sum))


def back_over_ranks(upstream: tf.Tensor, share: step_share.StepShare | None) -> tf.Tensor:
    """Return the gradient of a sum over ranks, with respect to the losses of all ranks.

    If the loss does not contain the rank's share, the share multiplies its gradients after the backward pass. The
    terms from other ranks' losses need their shares instead: multiply them in here, and divide by this rank's.
    """
    if share is None or share.in_loss:
        return over_ranks(upstream)
    own = tf.cast(share.share, upstream.dtype)
    return tf.math.divide_no_nan(over_ranks(upstream * own), own)
