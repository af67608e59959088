"""A file that HDF5 can always close: on a full disk HDF5 itself cannot, and takes the whole process down with it."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any


class Sink(io.FileIO):
    """Takes everything, and keeps the first error for `check`, after which what it holds is worthless."""

    def __init__(self, path: Path) -> None:
        """Open a new, empty file."""
        super().__init__(path, "w+")
        self._error: OSError | None = None

    def write(self, data: Any) -> int:
        """Write all of `data`, or say so."""
        left = memoryview(data).cast("B")
        try:
            while len(left) and self._error is None:
                left = left[self._put(left) :]
        except OSError as error:
            self._error = error
        return memoryview(data).nbytes

    def _put(self, data: memoryview) -> int:
        """Write some of `data`, and return how much."""
        return super().write(data)

    def truncate(self, size: int | None = None) -> int:
        """Set the length of the file."""
        try:
            return super().truncate(size) if self._error is None else size or 0
        except OSError as error:
            self._error = error
            return size or 0

    def __exit__(self, *failure: Any) -> None:
        """Close the file. HDF5 stumbles over what is not on a full disk: the disk's own error says why."""
        super().__exit__(*failure)
        self.check()

    def check(self) -> None:
        """Raise the error that a write has met, if any."""
        if self._error is not None:
            raise self._error
