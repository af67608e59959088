"""Scores of a generator against held-out pictures: shared out over the ranks, equal on any number of them.

    scores = SampleScores(held_out, encoder, count=1000)  # on every rank
    for _ in scores.take(generate):
        ...
    scores.results()  # {"kid": ..., "kid_error": ..., "fid": ..., "diversity": ..., "near_duplicates": ...}

Batches are dealt out, as `ddl.training.steps.outputs` does it: batch k is that of rank k % N. So each has the same
samples on any number of ranks, and its features are bit for bit the same if each rank has as many threads.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterator

import numpy as np

import ddl.distributed as dist
from ddl.data.batches.batch_reader import BatchReader
from ddl.data.source import Source
from ddl.distributed.state.variables import gather_bytes
from ddl.training.adversarial.scores.diversity import Diversity, diversity, evenly
from ddl.training.adversarial.scores.encoder import ScoreEncoder
from ddl.training.adversarial.scores.frechet import frechet_distance, is_biased
from ddl.training.adversarial.scores.kernel_distance import kernel_distance

MOST_TOGETHER = 50
LEAST_SAMPLES = 2

logger = logging.getLogger("ddl")

Generate = Callable[[np.ndarray, np.ndarray | None], np.ndarray]
"""Numbers of samples (n,), and their labels or None -> pictures (n, height, width, channels) of 0..1."""


class SampleScores:
    """Scores of a generator, whose weights are those at the time of `take`. All ranks must call each method together.

    Attributes:
        turns: how often `take` yields.
    """

    def __init__(
        self, held_out: Source, encoder: ScoreEncoder, count: int, *, labelled: bool = False
    ) -> None:
        """Prepare it; nothing is read yet.

        Args:
            held_out: real pictures; the first field of a sample. At even distances, `count` of them are taken.
            encoder: turns pictures into features.
            count: samples that are generated.
            labelled: whether samples have labels: those of the held-out pictures, one after the other.
        """
        self._reader, self._encoder = BatchReader(held_out), encoder
        self._real = evenly(len(held_out), count)
        self._count, self._labelled = count, labelled
        self._of_real = np.empty((0, 0), np.float32)  # on rank 0, after the first turn
        self._of_generated = self._of_real
        self._labels: np.ndarray | None = None
        self._has_read = False
        self._batches = math.ceil(count / MOST_TOGETHER)
        self.turns = math.ceil(self._batches / dist.size())
        self.diversity: Diversity | None = None
        if dist.is_root() and is_biased(min(count, len(self._real)), encoder.features):
            logger.info(
                "val_fid rests on %d held-out and %d generated pictures, and has %d features: it is too large, and can "
                "be compared only with one of as many. val_kid has no such bias.",
                len(self._real),
                count,
                encoder.features,
            )

    def take(self, generate: Generate) -> Iterator[None]:
        """Generate samples and encode them, yielding after each turn; at the first call also the real pictures."""
        if not self._has_read:
            self._read_real()
            self._has_read = True
        found = []
        for turn in range(self.turns):
            numbers = self._numbers(turn * dist.size() + dist.rank())
            if len(numbers):
                labels = None if self._labels is None else self._labels[numbers % len(self._labels)]
                found.append(self._encoder(generate(numbers, labels)))
            yield
        self._of_generated = self._gathered(found, self._count)

    def results(self) -> dict[str, float]:
        """Return the scores of the last `take`, the same on all ranks."""
        values = self._computed() if dist.is_root() else {}
        found: dict[str, float] = dist.broadcast(values)
        return found

    def _computed(self) -> dict[str, float]:
        real, generated = self._of_real, self._of_generated
        kid = kernel_distance(real, generated)
        self.diversity = diversity(real, generated)
        values = {"kid": kid.mean, "fid": frechet_distance(real, generated)}
        if not math.isnan(kid.error):
            values["kid_error"] = kid.error
        various = {
            "diversity": self.diversity.ratio,
            "near_duplicates": self.diversity.duplicates,
        }
        return values | various

    def _read_real(self) -> None:
        """Encode the held-out pictures, each once over all ranks, and keep their labels."""
        found, labels = [], []
        for start in range(0, len(self._real), MOST_TOGETHER):
            is_own = start // MOST_TOGETHER % dist.size() == dist.rank()
            if not (is_own or self._labelled):
                continue
            pictures, *rest = self._reader(0, self._real[start : start + MOST_TOGETHER])
            if self._labelled:
                labels.append(np.asarray(rest[0]).reshape(-1))
            if is_own:
                found.append(self._encoder(pictures))
        self._of_real = self._gathered(found, len(self._real))
        self._labels = np.concatenate(labels) if labels else None

    def _gathered(self, found: list[np.ndarray], count: int) -> np.ndarray:
        """Return the features of `count` samples in order on rank 0, from each rank's batches; none on other ranks."""
        turns = math.ceil(math.ceil(count / MOST_TOGETHER) / dist.size())
        width = self._encoder.features
        own = np.zeros((turns, MOST_TOGETHER, width), np.float32)
        for turn, features in enumerate(found):
            own[turn, : len(features)] = features
        rows = gather_bytes(own.reshape(-1).view(np.uint8))
        if not dist.is_root():
            return own[:0, 0]
        parts = rows.view(np.float32).reshape(dist.size(), turns, MOST_TOGETHER, width)
        in_order = parts.swapaxes(0, 1).reshape(
            -1, width
        )  # batch k stands in turn k // N of rank k % N
        return np.ascontiguousarray(in_order[:count])

    def _numbers(self, batch: int) -> np.ndarray:
        first = min(batch * MOST_TOGETHER, self._count)
        return np.arange(first, min(first + MOST_TOGETHER, self._count))
