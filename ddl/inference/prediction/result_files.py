"""Result files of one picture: written band by band under temporary names, then moved into place together."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from ddl.files import put_in_place
from ddl.inference.prediction.decision import decide
from ddl.inference.prediction.overlay import Overlay
from ddl.inference.prediction.row_writers import (
    SUFFIXES,
    Hdf5Writer,
    PngWriter,
    RowWriter,
    class_palette,
    open_writer,
)
from ddl.inference.tiles.tiling import Rows

OVERLAY_SUFFIX = ".overlay.png"
PROBABILITIES_SUFFIX = ".probabilities.npy"


class MaskFiles:
    """Writes a picture's mask, probabilities and overlay.

    The mask moves into place last: once it exists, the picture is done, and a later run skips it.
    """

    def __init__(
        self,
        folder: Path,
        name: str,
        rows: Rows,
        classes: int,
        *,
        form: str,
        threshold: float,
        probabilities: bool,
        overlay: bool,
    ) -> None:
        """Prepare the writers; `with` opens the files.

        Args:
            folder: folder of all results.
            name: name of the picture, a relative path.
            rows: the picture.
            classes: number of channels of the probabilities.
            form: format of the mask, a name in `outputs.SUFFIXES`.
            threshold: probability above which a pixel is foreground, for one class.
            probabilities: whether to write the probabilities.
            overlay: whether to draw the picture with the mask's outlines.
        """
        self._mask, self._probabilities, self._overlay = result_paths(folder, name, form)
        self._rows, self._classes, self._form = rows, classes, form
        self._sides = rows.shape[:-1]
        self._threshold = threshold
        self._with_probabilities, self._with_overlay = probabilities, overlay
        self._files = contextlib.ExitStack()
        self._partials: list[tuple[Path, Path]] = []
        self._sinks: list[Callable[[np.ndarray, np.ndarray], None]] = []
        self._drawn: Overlay | None = None

    def __enter__(self) -> MaskFiles:
        """Open the files under temporary names in their final folder."""
        try:
            self._mask.parent.mkdir(parents=True, exist_ok=True)
            if self._form == "hdf5":
                self._open_hdf5()
            else:
                self._open_plain()
            if self._with_overlay:
                self._drawn = Overlay(self._sides)
        except BaseException:
            self._discard()
            raise
        return self

    def write(self, start: int, probabilities: np.ndarray) -> None:
        """Append rows of probabilities (rows, ..., classes); `start` is the number of the first."""
        mask = decide(probabilities, self._threshold)
        for sink in self._sinks:
            sink(mask, probabilities)
        if self._drawn is not None:
            self._drawn.add(start, self._rows, mask)

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        """Move the files into place, or delete them after an error."""
        if kind is not None:
            self._discard()
            return
        try:
            self._files.close()
            if self._drawn is not None:
                self._drawn.save(self._partial(self._overlay))
            for partial, path in reversed(self._partials):
                put_in_place(partial, path)
        finally:
            self._discard()

    def _open_plain(self) -> None:
        """Open a file for the mask, and one for the probabilities."""
        palette = class_palette(self._classes) if self._classes > 1 else ()
        path = self._partial(self._mask)
        writer: RowWriter
        if self._form == "png":
            writer = PngWriter(path, self._sides, palette)
        else:
            writer = open_writer(path, self._sides, np.dtype(np.uint8), self._form)
        mask_file = self._files.enter_context(writer)
        # A picture of 0 and 1 looks black, so foreground is written as 255. Training reads any value above 0 as 1.
        white = 255 if self._classes == 1 and self._form in ("png", "tiff") else 1
        self._sinks.append(lambda mask, _: mask_file.write(mask * np.uint8(white)))
        if self._with_probabilities:
            shape, path = (*self._sides, self._classes), self._partial(self._probabilities)
            opened = open_writer(path, shape, np.dtype(np.float32), "npy")
            probabilities_file = self._files.enter_context(opened)
            self._sinks.append(lambda _, probabilities: probabilities_file.write(probabilities))

    def _open_hdf5(self) -> None:
        """Open one file for the mask and the probabilities."""
        fields: dict[str, tuple[tuple[int, ...], Any]] = {"mask": (self._sides, np.dtype(np.uint8))}
        if self._with_probabilities:
            fields["probabilities"] = ((*self._sides, self._classes), np.dtype(np.float32))
        file = self._files.enter_context(Hdf5Writer(self._partial(self._mask), fields))
        self._sinks.append(lambda mask, _: file.write("mask", mask))
        if self._with_probabilities:
            self._sinks.append(lambda _, probabilities: file.write("probabilities", probabilities))

    def _partial(self, path: Path) -> Path:
        partial = path.with_name(f".{os.getpid()}.{path.name}")
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


def result_paths(folder: Path, name: str, form: str) -> tuple[Path, Path, Path]:
    """Return the paths of a picture's mask, probabilities and overlay. HDF5 keeps probabilities in the mask's file."""
    suffixes = (SUFFIXES[form], PROBABILITIES_SUFFIX, OVERLAY_SUFFIX)
    mask, probabilities, overlay = (folder / f"{name}{suffix}" for suffix in suffixes)
    return mask, probabilities, overlay
