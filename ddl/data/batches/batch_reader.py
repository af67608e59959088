"""Reads and augments a batch of samples for a model. No TensorFlow here."""

from __future__ import annotations

import numpy as np

from ddl.data.batches.augmentation import Augmentation
from ddl.data.inputs_and_targets import scaled
from ddl.data.normalization import Normalization
from ddl.data.source import Field, Source


class BatchReader:
    """Creates batches from a source's samples. Several threads may call it at once.

    Attributes:
        fields: shape and dtype of the returned input and target.
        has_boxes: whether targets are boxes.
        box_visibility: the fraction of a box that must stay visible.
    """

    def __init__(
        self,
        samples: Source,
        augmentation: Augmentation | None = None,
        seed: int = 0,
        ignore_index: int | None = None,
        normalization: Normalization | None = None,
        *,
        trains: bool = False,
    ) -> None:
        """Refuse samples that are not pictures or cannot be augmented, before anything is read.

        Args:
            samples: the first field is the model's input; the second (if any) its target. Inputs are scaled to 0..1.
            augmentation: changes drawn from (seed, epoch, index in `samples`); None for none.
            seed: seed of the augmentation.
            ignore_index: number in masks that marks pixels to leave out.
            normalization: what inputs go through after the augmentation; None for nothing.
            trains: whether samples are read as training has them in an epoch.
        """
        self._trains = trains
        self._samples, self._augmentation, self._seed = scaled(samples), augmentation, seed
        self._ignored, self._normalization = ignore_index, normalization
        self.fields = tuple(self._samples.fields.values())
        self.has_boxes = "boxes" in self._samples.fields
        self.box_visibility = (augmentation or Augmentation()).box_visibility
        if augmentation is None:
            return
        image, *targets = self.fields
        self._is_values = "values" in self._samples.fields
        if self.has_boxes:
            augmentation.check_boxes()
        # A mask has a value per pixel; a label has not.
        self._has_mask = any(
            len(target.shape) > 1 and target.shape[:-1] == image.shape[:-1] for target in targets
        )
        if self._has_mask or self._is_values:
            augmentation.check_masks()
        if self._is_values and not self._has_mask and len(targets[0].shape) > 1:
            raise ValueError(
                f"Received: augment for inputs of shape {image.shape} with targets of shape {targets[0].shape}. "
                "Expected: targets with the sides of their inputs, or no augment."
            )
        changed = 1 + self._has_mask
        crop = augmentation.crop_of(image.shape)
        cropped = (Field((*crop, f.shape[-1]), f.dtype) for f in self.fields[:changed])
        self.fields = (*cropped, *self.fields[changed:])

    def __call__(self, epoch: int, indices: np.ndarray) -> tuple[np.ndarray, ...]:
        """Return input and target of these samples in this epoch, each of shape (len(indices), ...)."""
        inputs, *targets = self._augmented(epoch, indices)
        if self._normalization is not None:
            inputs = self._normalization.apply(inputs)
        return inputs, *targets

    def _augmented(self, epoch: int, indices: np.ndarray) -> tuple[np.ndarray, ...]:
        if self._trains:
            inputs, *targets = self._samples.read_epoch(epoch, indices).values()
        else:
            inputs, *targets = self._samples.read(indices).values()
        if self._augmentation is None:
            return inputs, *targets
        if self.has_boxes:
            return self._with_boxes(epoch, indices, inputs, targets[0], self._augmentation)
        masks = targets.pop() if self._has_mask else [None] * len(indices)
        augmented = [
            np.empty((len(indices), *field.shape), field.dtype)
            for field in self.fields[: 1 + self._has_mask]
        ]
        for row, index in enumerate(indices):
            drawn_from = {"seed": self._seed, "epoch": epoch, "index": int(index)}
            pair = self._augmentation(
                inputs[row],
                masks[row],
                **drawn_from,
                ignore_index=self._ignored,
                smooth=self._is_values,
            )
            for batch, part in zip(augmented, pair, strict=False):
                batch[row] = part
        return *augmented, *targets

    def _with_boxes(
        self,
        epoch: int,
        indices: np.ndarray,
        inputs: np.ndarray,
        boxes: np.ndarray,
        augmentation: Augmentation,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return augmented pictures and their boxes, moved with them."""
        pictures = np.empty((len(indices), *self.fields[0].shape), self.fields[0].dtype)
        moved = np.empty_like(boxes)
        for row, index in enumerate(indices):
            pictures[row], moved[row] = augmentation.with_boxes(
                inputs[row], boxes[row], seed=self._seed, epoch=epoch, index=int(index)
            )
        return pictures, moved

    def read_steps(
        self, epoch: int, first_step: int, indices: np.ndarray
    ) -> tuple[np.ndarray, ...]:
        """Return input and target of consecutive steps, (steps * samples, ...), for indices (steps, samples)."""
        return self(epoch, indices.ravel())
