"""A file that HDF5 can always close. On a full disk HDF5 would otherwise crash the process."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any


class ClosableFile(io.FileIO):
    """Accepts all writes, and keeps the first error for `check`. After an error its contents are invalid."""

    def __init__(self, path: Path) -> None:
        """Open a new, empty file."""
        super().__init__(path, "w+")
        self._error: OSError | None = None

    def write(self, data: Any) -> int:
        """Write `data` and return its length, even after an error."""
        left = memoryview(data).cast("B")
        try:
            while len(left) and self._error is None:
                left = left[super().write(left) :]
        except OSError as error:
            self._error = error
        return memoryview(data).nbytes

    def truncate(self, size: int | None = None) -> int:
        """Set the length of the file."""
        try:
            return super().truncate(size) if self._error is None else size or 0
        except OSError as error:
            self._error = error
            return size or 0

    def __exit__(self, *failure: Any) -> None:
        """Close the file. Raise the disk's error rather than the one that HDF5 raises because of it."""
        super().__exit__(*failure)
        self.check()

    def check(self) -> None:
        """Raise the first write error, if any."""
        if self._error is not None:
            raise self._error
