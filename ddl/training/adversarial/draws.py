"""Random numbers of a step: a function of seed, step, purpose and the sample's place in the global batch.

So N ranks draw what one draws, and a resumed run what an undisturbed one does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import tensorflow as tf

OF_DISCRIMINATOR, OF_GENERATOR, BETWEEN = 0, 1, 2
"""Purposes: latent vectors of the discriminator's update, of the generator's, and places of the gradient penalty."""
_PURPOSES = 4


@dataclass(frozen=True)
class Draws:
    """Draws of one rank.

    Attributes:
        seed: of the run.
        rank: this rank.
        ranks: how many there are.
        batch: samples of a full global batch.
        steps: steps of an epoch.
        last: samples of an epoch's last step over all ranks, which may be fewer.
    """

    seed: int
    rank: int
    ranks: int
    batch: int
    steps: int
    last: int

    def normal(self, step: Any, purpose: int, count: Any, size: int, dtype: Any) -> Any:
        """Return the latent vectors (count, size) of this rank's samples of a step of the run."""
        whole = tf.random.stateless_normal(
            (self.batch, size), self._key(step, purpose), dtype=dtype
        )
        return self._own(whole, step, count)

    def uniform(self, step: Any, purpose: int, count: Any, dtype: Any) -> Any:
        """Return numbers (count,) of 0 to 1 for this rank's samples of a step of the run."""
        whole = tf.random.stateless_uniform((self.batch,), self._key(step, purpose), dtype=dtype)
        return self._own(whole, step, count)

    def _key(self, step: Any, purpose: int) -> Any:
        return tf.stack(
            [tf.constant(self.seed, tf.int64), tf.cast(step, tf.int64) * _PURPOSES + purpose]
        )

    def _own(self, whole: Any, step: Any, count: Any) -> Any:
        """Return this rank's part: parts of a step are contiguous, and the first ones may have one sample more."""
        is_last = tf.equal(tf.cast(step, tf.int64) % self.steps, self.steps - 1)
        total = tf.where(is_last, self.last, self.batch)
        first = self.rank * (total // self.ranks) + tf.minimum(self.rank, total % self.ranks)
        # A rank without samples computes on one row that does not count.
        first = tf.minimum(first, self.batch - count)
        return whole[first : first + count]
