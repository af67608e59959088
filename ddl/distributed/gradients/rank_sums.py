"""Sums over ranks inside a step, and the way back: gradients that come from the losses of all ranks."""

from __future__ import annotations

import tensorflow as tf

from ddl.distributed import runtime
from ddl.distributed.gradients import step_share
from ddl.distributed.timing.reduction_timer import timed


def over_ranks(values: tf.Tensor) -> tf.Tensor:
    """Return the sum over ranks. No gradient of its own: `back_over_ranks` is it."""
    if runtime.size() == 1:
        return values
    hvd = runtime.horovod()
    return timed([values], lambda: hvd.allreduce(values, op=hvd.Sum))


def back_over_ranks(upstream: tf.Tensor, share: step_share.StepShare | None) -> tf.Tensor:
    """Return the gradient of a sum over ranks from the losses of all of them.

    Where the share of a rank is not in its loss, it is put on its gradients after the backward pass. What comes from
    other ranks' losses must have their shares, not this rank's: so they are put on here, and this one's taken out.
    """
    if share is None or share.in_loss:
        return over_ranks(upstream)
    own = tf.cast(share.share, upstream.dtype)
    return tf.math.divide_no_nan(over_ranks(upstream * own), own)
