"""The files of one picture's prediction, filled band by band, and put in place together or not at all."""

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
    """Where a picture's mask goes, its probabilities and its overlay. The mask appears last: it says "done"."""

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
        """Get ready; `with` opens the files.

        Args:
            folder: of all results.
            name: of the picture, a relative path.
            rows: the picture.
            classes: channels of the probabilities.
            form: of the mask, a name in `outputs.SUFFIXES`.
            threshold: above which one channel is foreground.
            probabilities: whether these are written, too.
            overlay: whether a picture with the mask's outlines is drawn.
        """
        self._mask, self._probabilities, self._overlay = result_paths(folder, name, form)
        self._rows, self._classes, self._form = rows, classes, form
        self._sides = rows.shape[:-1]
        self._threshold = threshold
        self._wants = probabilities, overlay
        self._open = contextlib.ExitStack()
        self._partials: list[tuple[Path, Path]] = []
        self._sinks: list[Callable[[np.ndarray, np.ndarray], None]] = []
        self._drawn: Overlay | None = None

    def __enter__(self) -> MaskFiles:
        """Open a file of another name beside each one's place."""
        try:
            self._mask.parent.mkdir(parents=True, exist_ok=True)
            if self._form == "hdf5":
                self._open_hdf5()
            else:
                self._open_plain()
            if self._wants[1]:
                self._drawn = Overlay(self._sides)
        except BaseException:
            self._give_up()
            raise
        return self

    def write(self, start: int, probabilities: np.ndarray) -> None:
        """Append rows of probabilities (rows, ..., classes), of which `start` is the first."""
        mask = decide(probabilities, self._threshold)
        for sink in self._sinks:
            sink(mask, probabilities)
        if self._drawn is not None:
            self._drawn.add(start, self._rows, mask)

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        """Put the files in place, or remove them after an error."""
        if kind is not None:
            self._give_up()
            return
        try:
            self._open.close()
            if self._drawn is not None:
                self._drawn.save(self._partial(self._overlay))
            for partial, path in reversed(self._partials):
                put_in_place(partial, path)
        finally:
            self._give_up()

    def _open_plain(self) -> None:
        """Open a file for the mask, and one for the probabilities."""
        palette = class_palette(self._classes) if self._classes > 1 else ()
        path = self._partial(self._mask)
        writer: RowWriter
        if self._form == "png":
            writer = PngWriter(path, self._sides, palette)
        else:
            writer = open_writer(path, self._sides, np.dtype(np.uint8), self._form)
        shown = self._open.enter_context(writer)
        # A mask of 0 and 1 looks black; read as a mask again, whatever is not black is 1.
        white = 255 if self._classes == 1 and self._form in ("png", "tiff") else 1
        self._sinks.append(lambda mask, _: shown.write(mask * np.uint8(white)))
        if self._wants[0]:
            shape, place = (*self._sides, self._classes), self._partial(self._probabilities)
            chances = open_writer(place, shape, np.dtype(np.float32), "npy")
            chances = self._open.enter_context(chances)
            self._sinks.append(lambda _, found: chances.write(found))

    def _open_hdf5(self) -> None:
        """Open one file for both."""
        fields: dict[str, tuple[tuple[int, ...], Any]] = {"mask": (self._sides, np.dtype(np.uint8))}
        if self._wants[0]:
            fields["probabilities"] = ((*self._sides, self._classes), np.dtype(np.float32))
        file = self._open.enter_context(Hdf5Writer(self._partial(self._mask), fields))
        self._sinks.append(lambda mask, _: file.write("mask", mask))
        if self._wants[0]:
            self._sinks.append(lambda _, found: file.write("probabilities", found))

    def _partial(self, path: Path) -> Path:
        partial = path.with_name(f".{os.getpid()}.{path.name}")
        self._partials.append((partial, path))
        return partial

    def _give_up(self) -> None:
        with contextlib.suppress(Exception):
            error = RuntimeError("unfinished")
            self._open.__exit__(RuntimeError, error, None)
        for partial, _ in self._partials:
            partial.unlink(missing_ok=True)


def result_paths(folder: Path, name: str, form: str) -> tuple[Path, Path, Path]:
    """Return where a picture's mask, probabilities (but for HDF5, which has them in the mask's file) and overlay go."""
    suffixes = (SUFFIXES[form], PROBABILITIES_SUFFIX, OVERLAY_SUFFIX)
    mask, probabilities, overlay = (folder / f"{name}{suffix}" for suffix in suffixes)
    return mask, probabilities, overlay
