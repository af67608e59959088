"""Reads batches whose pictures with boxes become mosaics of four samples of the global batch. No TensorFlow here."""

from __future__ import annotations

import threading

import numpy as np

from ddl.boxes.rows import padded_rows
from ddl.data.batches.batch_reader import BatchReader
from ddl.data.batches.mixed_reader import MixedReader
from ddl.data.batches.mixing import Mixing
from ddl.data.batches.mosaic import assembled, drawn_tiles
from ddl.plain_text import tell


class MosaicReader:
    """Creates batches of mosaics. Several threads may call it at once.

    A rank reads and augments the few partners that other ranks have in their part of the global batch, in addition to
    its own samples.

    Attributes:
        fields: shape and dtype of the returned input and target.
        group: number of samples in a mosaic.
        surplus: number of boxes that were left out because a sample has no more rows, the smallest of their mosaics.
    """

    group = 4

    def __init__(
        self, reader: BatchReader, mixing: Mixing, *, seed: int, epochs: int, says: bool = True
    ) -> None:
        """Refuse samples without boxes, before anything is read.

        Args:
            reader: reads and augments.
            mixing: what to draw.
            seed: seed of the draws.
            epochs: of the run, whose last `mixing.off_epochs` are not mixed.
            says: whether to say that boxes are left out.
        """
        if not reader.has_boxes:
            raise ValueError("Received: mix mosaic for samples without boxes. Expected: boxes.")
        self._reader, self._mixing, self._seed = reader, mixing, seed
        self._first_off = epochs - mixing.off_epochs
        self.fields = reader.fields
        self.surplus, self._says = 0, says
        self._counting = threading.Lock()

    def read_steps(self, epoch: int, first_step: int, groups: np.ndarray) -> tuple[np.ndarray, ...]:
        """Return input and target of consecutive steps.

        Args:
            epoch: the epoch of all of them.
            first_step: the first of them.
            groups: (steps, 4, samples): the rank's own samples, and their partners.

        Returns:
            Arrays of shape (steps * samples, ...).
        """
        own = groups[:, 0].ravel()
        if epoch >= self._first_off:
            return self._reader(epoch, own)
        height, width, _ = self.fields[0].shape
        drawn = [
            drawn_tiles((height, width), seed=self._seed, epoch=epoch, step=step, index=index)
            for step, indices in enumerate(groups[:, 0].tolist(), first_step)
            for index in indices
        ]
        is_mixed = np.array([decides < self._mixing.mosaic for decides, _ in drawn], np.bool_)
        members = groups.transpose(0, 2, 1).reshape(-1, self.group)
        needed = np.concatenate([own, np.setdiff1d(members[is_mixed], own)])
        pictures, rows = self._reader(epoch, needed)
        order = np.argsort(needed)
        found = np.searchsorted(needed, members, sorter=order)
        places = order[np.minimum(found, len(order) - 1)]  # those of what is not mixed are not used
        results = pictures[: len(own)].copy(), rows[: len(own)].copy()
        for row in np.flatnonzero(is_mixed).tolist():
            picture, boxes = assembled(
                drawn[row][1],
                pictures[places[row]],
                rows[places[row]],
                visibility=self._reader.box_visibility,
            )
            results[0][row] = picture
            results[1][row] = padded_rows(boxes, len(rows[0]))
            if len(boxes) > len(rows[0]):
                self._count(len(boxes), len(rows[0]))
        return results

    def _count(self, boxes: int, most: int) -> None:
        """Count the boxes that have no row, and say so once."""
        with self._counting:
            is_first = not self.surplus
            self.surplus += boxes - most
        if is_first and self._says:
            tell(
                f"ddl: a mosaic has {boxes} boxes, and no picture of the data more than {most}: its smallest are left "
                "out, here and in other mosaics."
            )


def mixing_reader(
    reader: BatchReader,
    mixing: Mixing,
    *,
    classes: int,
    seed: int,
    epochs: int,
    says: bool = True,
) -> MixedReader | MosaicReader:
    """Return what mixes the samples of a reader as `mixing` says."""
    if mixing.mosaic:
        return MosaicReader(reader, mixing, seed=seed, epochs=epochs, says=says)
    return MixedReader(reader, mixing, classes=classes, seed=seed, epochs=epochs)
