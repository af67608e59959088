"""Held-out samples with labels or boxes, in the numbers of the training classes: data that lack one count others."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ddl.boxes.rows import CLASS
from ddl.data.source import Source, View


class Relabelled(View):
    """A source with labels or boxes whose numbers of classes are replaced."""

    def __init__(self, source: Source, numbers: np.ndarray, class_names: tuple[str, ...]) -> None:
        """Give the class n of `source`, which is closed with this one, the number `numbers[n]`."""
        super().__init__(source)
        self._numbers, self.class_names = numbers, class_names

    def read(self, indices: Sequence[int] | np.ndarray) -> dict[str, np.ndarray]:
        batch = self.source.read(indices)
        if "boxes" in batch:
            rows = batch["boxes"].copy()
            is_box = rows[..., CLASS] >= 0
            rows[is_box, CLASS] = self._numbers[rows[is_box, CLASS].astype(np.int64)]
            return {**batch, "boxes": rows}
        return {**batch, "label": self._numbers[batch["label"]]}

    def read_column(self, name: str) -> np.ndarray | None:
        column = self.source.read_column(name)
        return column if column is None or name != "label" else self._numbers[column]


def relabelled(source: Source, class_names: Sequence[str], origin: object) -> Source:
    """Return a source whose labels or boxes count the classes as training does; itself where they already do.

    Args:
        source: validation or test samples.
        class_names: names of the training classes; () if unknown, as the names of the source may be.
        origin: what the samples are called in an error.

    Raises:
        ValueError: a class of the source is none of the training classes.
    """
    known, own = tuple(class_names), source.class_names
    has_classes = "label" in source.fields or "boxes" in source.fields
    if not has_classes or not known or not own or own == known[: len(own)]:
        return source
    unknown = [name for name in own if name not in known]
    if unknown:
        shown = ", ".join(known[:10]) + (", ..." if len(known) > 10 else "")
        raise ValueError(
            f"Received: class {unknown[0]!r} in {origin}, which the training samples lack. Expected: {shown}; remove "
            "it, or train on it."
        )
    return Relabelled(source, np.array([known.index(name) for name in own], np.int64), known)
