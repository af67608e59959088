"""What picture files and stacks as sources have in common: a listing of files, each with a mask, a label or neither."""

from __future__ import annotations

from abc import abstractmethod
from pathlib import Path

import numpy as np

from ddl.data.pictures.conversion import Conversion
from ddl.data.pictures.listing import Listing
from ddl.data.pictures.picture_table import labels_of
from ddl.data.source import Source


class ListedFiles(Source):
    """The samples of a listing. A subclass defines `fields`, `read` and how the file of a mask is read."""

    def __init__(self, listing: Listing, how: Conversion) -> None:
        """Use the files of a listing without problems."""
        self._listing, self._samples, self._how = listing.refuse_problems(), listing.samples, how

    @abstractmethod
    def _read_stored_mask(self, path: Path) -> np.ndarray | None:
        """Return the numbers or colours in a mask's file, as `stored_mask` does."""

    def __len__(self) -> int:
        return len(self._samples)

    def read_column(self, name: str) -> np.ndarray | None:
        if name != "label":
            return None
        return labels_of(self._samples)

    @property
    def class_names(self) -> tuple[str, ...]:
        return self._listing.class_names

    @property
    def mask_mode(self) -> str:
        return self._how.mask_mode if "mask" in self.fields else ""

    def stored_mask(self, index: int) -> np.ndarray | None:
        mask = self._samples[index].mask
        return None if mask is None else self._read_stored_mask(mask)

    def name_of(self, index: int) -> str:
        return self._samples[index].image.relative_to(self._listing.root).as_posix()
