"""Views of samples through transforms: `Transformed`, and `MaskNumbers` for masks that are normalized."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ddl.data.source import Field, Source, View
from ddl.data.transforms.chain import Chain
from ddl.data.transforms.parts import Drawn

_ROUNDING = 0.01  # 0.003921568 for 1/255, as often written, makes 254.99997 of 255


class Transformed(View):
    """Samples after the transforms that hold for all of them; `read_epoch` also applies those of training.

    Attributes:
        chain: the transforms.
    """

    def __init__(self, source: Source, chain: Chain, seed: int) -> None:
        """Use the samples of `source`, whose inputs are floats, and which is closed with this one.

        Raises:
            ValueError: the transforms do not fit the samples.
        """
        super().__init__(source)
        self.chain, self._seed = chain, seed
        (self._input, image), (self._target, target) = source.fields.items()
        self._moves = chain.moves_target(image, target)
        changed = chain.fields(image, target, self._target)
        self.fields = dict(zip((self._input, self._target), changed, strict=True))

    def read(self, indices: Sequence[int] | np.ndarray) -> dict[str, np.ndarray]:
        return self._read(0, indices, trains=False)

    def read_epoch(self, epoch: int, indices: Sequence[int] | np.ndarray) -> dict[str, np.ndarray]:
        return self._read(epoch, indices, trains=True)

    def read_column(self, name: str) -> np.ndarray | None:
        return self.source.read_column(name) if name == "label" else None

    def _read(
        self, epoch: int, indices: Sequence[int] | np.ndarray, *, trains: bool
    ) -> dict[str, np.ndarray]:
        inputs, targets = self.source.read(indices).values()
        image, target = self.fields.values()
        is_label = self._target == "label"
        results = (
            np.empty((len(indices), *image.shape), image.dtype),
            targets if is_label else np.empty((len(indices), *target.shape), target.dtype),
        )
        for row, index in enumerate(indices):
            changed, moved = self.chain.apply(
                inputs[row],
                None if is_label else targets[row],
                Drawn(self._seed, epoch, int(index)),
                name=self._target,
                moves=self._moves,
                trains=trains,
            )
            results[0][row] = changed
            if moved is not None:
                results[1][row] = moved
        return dict(zip(self.fields, results, strict=True))


class MaskNumbers(View):
    """Masks whose class numbers are made by normalizing what is stored, or are stored as floats: rounded.

    Masks of picture files are divided by 255 before, as pictures are.
    """

    def __init__(self, source: Source, pairs: Sequence[tuple[float, float]]) -> None:
        """Use the samples of `source`, which is closed with this one; `pairs` are means and deviations, in order."""
        super().__init__(source)
        self._pairs, self._white = pairs, 255.0 if source.mask_mode else 1.0
        mask = source.fields["mask"]
        self.fields = {**source.fields, "mask": Field(mask.shape, np.dtype(np.int32))}

    def read(self, indices: Sequence[int] | np.ndarray) -> dict[str, np.ndarray]:
        batch = self.source.read(indices)
        values = batch["mask"].astype(np.float64) / self._white
        for mean, deviation in self._pairs:
            values = (values - mean) / deviation
        numbers = np.rint(values)
        wrong = np.argwhere(~(np.abs(values - numbers) < _ROUNDING))
        if len(wrong):
            row = tuple(wrong[0])
            name = self.source.name_of(int(indices[row[0]]))
            raise ValueError(
                f"Received: {values[row]:g} in the mask of sample {name}. Expected: class numbers; another "
                "normalize, or targets=values."
            )
        return {**batch, "mask": numbers.astype(np.int32)}

    def stored_mask(self, index: int) -> np.ndarray | None:
        del index
        return None
