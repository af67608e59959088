"""Reads batches whose samples are mixed with their partners, with labels as (classes) numbers. No TensorFlow here."""

from __future__ import annotations

import numpy as np

from ddl.data.batches.batch_reader import BatchReader
from ddl.data.batches.mixing import Mixing, mixed
from ddl.data.source import Field


class MixedReader:
    """Creates mixed batches. Several threads may call it at once.

    A rank reads and augments the few partners that other ranks have in their part of the global batch, in addition to
    its own samples.

    Attributes:
        fields: shape and dtype of the returned input and target.
        group: number of samples that are mixed into one.
    """

    group = 2

    def __init__(
        self, reader: BatchReader, mixing: Mixing, *, classes: int, seed: int, epochs: int
    ) -> None:
        """Refuse samples that cannot be mixed, before anything is read.

        Args:
            reader: reads and augments.
            mixing: what to draw.
            classes: number of classes.
            seed: seed of the draws.
            epochs: of the run, whose last `mixing.off_epochs` are not mixed.
        """
        image, target = reader.fields[0], reader.fields[-1]
        if len(image.shape) != 3 or target.shape or target.dtype.kind not in "iu" or classes < 2:
            raise ValueError(
                f"Received: mix for inputs of shape {image.shape} with targets of shape {target.shape}, dtype "
                f"{target.dtype}, and {classes} classes. Expected: pictures with one label each, and 2 classes or more."
            )
        self._reader, self._mixing, self._seed = reader, mixing, seed
        self._first_off = epochs - mixing.off_epochs
        self._labels = np.eye(classes, dtype=np.float32)
        self.fields = (image, Field((classes,), self._labels.dtype))

    def read_steps(self, epoch: int, first_step: int, pairs: np.ndarray) -> tuple[np.ndarray, ...]:
        """Return input and target of consecutive steps.

        Args:
            epoch: the epoch of all of them.
            first_step: the first of them.
            pairs: (steps, 2, samples): the rank's own samples, and their partners.

        Returns:
            Arrays of shape (steps * samples, ...).
        """
        own, partners = pairs[:, 0].ravel(), pairs[:, 1].ravel()
        if epoch >= self._first_off:
            inputs, labels = self._reader(epoch, own)
            return inputs, self._one_hot(labels)
        needed = np.concatenate([own, np.setdiff1d(partners, own)])
        inputs, labels = self._reader(epoch, needed)
        order = np.argsort(needed)
        rows = order[np.searchsorted(needed, partners, sorter=order)]
        count = pairs.shape[-1]
        read, places = (inputs, self._one_hot(labels)), np.arange(len(own))
        steps = []
        for number in range(len(pairs)):
            part = slice(number * count, (number + 1) * count)
            steps.append(self._mixed(epoch, first_step + number, read, places[part], rows[part]))
        return tuple(map(np.concatenate, zip(*steps, strict=True)))

    def _mixed(
        self,
        epoch: int,
        step: int,
        read: tuple[np.ndarray, np.ndarray],
        own: np.ndarray,
        partners: np.ndarray,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return pictures and labels of one step, at the places `own` of what was read, mixed with their partners."""
        height, width, _ = self.fields[0].shape
        blend = self._mixing.blend((height, width), seed=self._seed, epoch=epoch, step=step)
        pictures, labels = (part[own] for part in read)
        if blend is None:
            return pictures, labels
        others, other_labels = (part[partners] for part in read)
        return mixed(blend, pictures, others, labels, other_labels)

    def _one_hot(self, labels: np.ndarray) -> np.ndarray:
        classes = len(self._labels)
        wrong = labels[(labels < 0) | (labels >= classes)]
        if len(wrong):
            raise ValueError(
                f"Received: label {wrong[0]} of {classes} classes. Expected: 0 to {classes - 1}; correct the sample."
            )
        return np.asarray(self._labels[labels])
