"""A file that grows by whole lines, also on a disk that is full for a while."""

from __future__ import annotations

import contextlib
import logging
import os
from pathlib import Path

from ddl.files import open_to_append, write_whole

logger = logging.getLogger("ddl")


class LineFile:
    """A file that lines are appended to, and that holds whole lines only. A failed write is one warning."""

    def __init__(self, path: Path, text: str) -> None:
        """Replace the file by one with these lines.

        Raises:
            OSError: it cannot be written.
        """
        data = text.encode()
        write_whole(path, lambda partial: partial.write_bytes(data))
        self._path, self._size = path, len(data)
        self._waiting, self._failed = "", False

    def append(self, text: str) -> None:
        """Write the lines, with those that could not be written before."""
        self._waiting += text
        if not self._waiting:
            return
        try:
            with open_to_append(self._path) as file:
                self._size = os.fstat(file.fileno()).st_size  # somebody may have deleted it
                file.write(self._waiting)
        except OSError as error:
            with contextlib.suppress(OSError):
                os.truncate(self._path, self._size)
            if not self._failed:
                self._failed = True
                logger.warning(
                    "Could not write %s: %s. Training continues; the lines are written later, if that is possible.",
                    self._path,
                    error.strerror or error,
                )
            return
        self._waiting = ""
