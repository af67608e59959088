"""Result files of one picture: written band by band under temporary names, then moved into place together."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path

import numpy as np

from ddl.files import clear_partial, partial_path, put_in_place
from ddl.inference.prediction.decision import decide
from ddl.inference.prediction.overlay import Overlay
from ddl.inference.prediction.prediction import Prediction
from ddl.inference.prediction.result_names import result_paths
from ddl.inference.prediction.row_writers import (
    Hdf5Writer,
    PlainWriter,
    PngWriter,
    class_palette,
)
from ddl.inference.tiles.tiling import Rows

WriteRows = Callable[[np.ndarray], None]


class MaskFiles:
    """Writes a picture's mask, probabilities and overlay; of a model that predicts values these alone.

    The mask moves into place last: once it exists, the picture is done, and a later run skips it.
    """

    def __init__(
        self,
        prediction: Prediction,
        name: str,
        rows: Rows,
        classes: int,
        *,
        holds_values: bool = False,
    ) -> None:
        """Prepare the writers of a picture `rows`, whose name is a relative path; `with` opens the files."""
        self._prediction, self._rows, self._classes = prediction, rows, classes
        self._holds_values = holds_values
        self._paths = result_paths(prediction.output, name, prediction.format)
        # A picture of 0 and 1 looks black, so foreground is written as 255. Training reads any value above 0 as 1.
        is_binary = classes == 1 and prediction.format in ("png", "tiff")
        self._white = np.uint8(255 if is_binary else 1)
        self._files = contextlib.ExitStack()
        self._partials: list[tuple[Path, Path]] = []
        self._write_mask: WriteRows
        self._write_probabilities: WriteRows | None = None
        self._overlay = Overlay(rows.shape[:-1]) if prediction.overlay else None

    def __enter__(self) -> MaskFiles:
        """Open the files under temporary names in their final folder."""
        try:
            self._paths[0].parent.mkdir(parents=True, exist_ok=True)
            self._open()
        except BaseException:
            self._discard()
            raise
        return self

    def write(self, start: int, probabilities: np.ndarray) -> None:
        """Append rows of probabilities or values (rows, ..., classes); `start` is the number of the first."""
        if self._holds_values:
            self._write_mask(np.asarray(probabilities, np.float32))
            return
        mask = decide(probabilities, self._prediction.threshold)
        self._write_mask(mask * self._white)
        if self._write_probabilities is not None:
            self._write_probabilities(probabilities)
        if self._overlay is not None:
            self._overlay.add(start, self._rows, mask)

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        """Move the files into place, or delete them after an error."""
        if kind is not None:
            self._discard()
            return
        try:
            self._files.close()
            if self._overlay is not None:
                self._overlay.save(self._partial(self._paths[2]))
            for partial, path in reversed(self._partials):
                put_in_place(partial, path)
        finally:
            self._discard()

    def _open(self) -> None:
        """Open a file for the mask, and one for the probabilities; HDF5 holds both in one."""
        form, sides = self._prediction.format, self._rows.shape[:-1]
        path, hdf5 = self._partial(self._paths[0]), None
        if self._holds_values:
            shape = (*sides, self._classes)
            if form == "hdf5":
                hdf5 = self._files.enter_context(Hdf5Writer(path))
                self._write_mask = hdf5.create("values", shape, np.float32)
            else:
                writer = PlainWriter(path, shape, np.float32, form)
                self._write_mask = self._files.enter_context(writer).write
            return
        if form == "hdf5":
            hdf5 = self._files.enter_context(Hdf5Writer(path))
            self._write_mask = hdf5.create("mask", sides, np.uint8)
        elif form == "png":
            palette = class_palette(self._classes) if self._classes > 1 else ()
            self._write_mask = self._files.enter_context(PngWriter(path, sides, palette)).write
        else:
            writer = PlainWriter(path, sides, np.uint8, form)
            self._write_mask = self._files.enter_context(writer).write
        if self._prediction.probabilities:
            shape = (*sides, self._classes)
            if hdf5 is not None:
                self._write_probabilities = hdf5.create("probabilities", shape, np.float32)
            else:
                writer = PlainWriter(self._partial(self._paths[1]), shape, np.float32, "npy")
                self._write_probabilities = self._files.enter_context(writer).write

    def _partial(self, path: Path) -> Path:
        partial = partial_path(path)
        clear_partial(partial)
        self._partials.append((partial, path))
        return partial

    def _discard(self) -> None:
        """Close what is open and delete temporary files; does nothing after a success."""
        with contextlib.suppress(Exception):
            # Exits the writers with an error, so that they do not write a valid end of file.
            error = RuntimeError("unfinished")
            self._files.__exit__(RuntimeError, error, None)
        for partial, _ in self._partials:
            partial.unlink(missing_ok=True)
