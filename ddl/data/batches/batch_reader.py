"""Reads and augments a batch of samples for a model. No TensorFlow here."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ddl.data.batches.augmentation import Augmentation
from ddl.data.inputs_and_targets import scaled
from ddl.data.source import Field, Source


@dataclass(frozen=True)
class BatchReader:
    """Creates batches from a source's samples. Several threads may call it at once.

    Attributes:
        samples: the first field is the model's input; the second (if any) its target. Inputs are scaled to 0..1.
        augmentation: changes drawn from (seed, epoch, index in `samples`); None for none.
        seed: seed of the augmentation.
    """

    samples: Source
    augmentation: Augmentation | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse samples that are not pictures or cannot be augmented, before anything is read."""
        object.__setattr__(self, "samples", scaled(self.samples))
        if self.augmentation is not None:
            self.augmentation.crop_of(self._input.shape)

    @property
    def fields(self) -> tuple[Field, ...]:
        """Shape and dtype of the returned input and target."""
        fields = tuple(self.samples.fields.values())
        if self.augmentation is None:
            return fields
        crop = self.augmentation.crop_of(self._input.shape)
        return tuple(
            Field((*crop, field.shape[-1]), field.dtype) if self._has_places(field) else field
            for field in fields
        )

    def __call__(self, epoch: int, indices: np.ndarray) -> tuple[np.ndarray, ...]:
        """Return input and target of these samples in this epoch, each of shape (len(indices), ...)."""
        inputs, *targets = self.samples.read(indices).values()
        if self.augmentation is None:
            return inputs, *targets
        made = [np.empty((len(indices), *field.shape), field.dtype) for field in self.fields]
        has_mask = bool(targets) and self._has_places([*self.samples.fields.values()][1])
        for row, index in enumerate(indices):
            mask = targets[0][row] if has_mask else None
            made[0][row], moved = self.augmentation(
                inputs[row], mask, seed=self.seed, epoch=epoch, index=int(index)
            )
            if moved is not None:
                made[1][row] = moved
        return tuple(made) if has_mask else (made[0], *targets)

    @property
    def _input(self) -> Field:
        return next(iter(self.samples.fields.values()))

    def _has_places(self, field: Field) -> bool:
        """Return whether a field has a value per pixel, like a mask and unlike a label."""
        return len(field.shape) > 1 and field.shape[:-1] == self._input.shape[:-1]
