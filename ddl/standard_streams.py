"""Standard output and error that may be closed, full or lost. The work of a command goes on without them."""

from __future__ import annotations

import errno
import io
import os
import sys
from typing import Any, TextIO, cast

from ddl.plain_text import tell

UNWRITTEN = 1
"""Exit status of a command whose results could not be written to standard output."""


class LossyStream:
    """A text stream that ends at its first error instead of raising it. A broken pipe is no error."""

    def __init__(self, stream: Any, name: str, lost: str = "") -> None:
        """Wrap `stream`; `lost` says why it is lost already, if it is."""
        self._stream, self._name = stream, name
        self.lost = lost

    def write(self, text: str) -> int:
        """Write, or do nothing where the stream is lost."""
        self._attempt(self._stream.write, text)
        return len(text)

    def flush(self) -> None:
        """Flush, or do nothing where the stream is lost."""
        self._attempt(self._stream.flush)

    def writelines(self, lines: Any) -> None:
        """Write every line."""
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        if name == "_stream":  # a copy that is not filled yet
            raise AttributeError(name)
        return getattr(self._stream, name)

    def _attempt(self, act: Any, *arguments: Any) -> None:
        if self.lost:
            return
        try:
            act(*arguments)
        except OSError as error:
            self.lost = error.strerror or str(error)
            # Whatever else writes there, such as C++ or the buffer at the end, succeeds from now on.
            with open(os.devnull, "rb+") as nowhere:  # noqa: PTH123
                os.dup2(nowhere.fileno(), self._stream.fileno())
            if self._name == "output" and error.errno != errno.EPIPE:
                tell(f"Could not write to standard output: {self.lost}. The work continues.")


def secure_streams() -> None:
    """Make this process's standard streams safe to write to, and keep files off their numbers. Call it early.

    Where a stream is closed, the next file to be opened would take its number, and would receive what C++ prints.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free number, which is this one
    sys.stdout, sys.stderr = _secured(sys.stdout, 1, "output"), _secured(sys.stderr, 2, "error")


def end_output(name: str) -> int:
    """Flush the results of the command `name`; return its exit status: 0, or 1 where they could not be written."""
    sys.stdout.flush()
    lost = getattr(sys.stdout, "lost", "")
    if lost:
        tell(
            f"{name}: Could not write the results to standard output: {lost}. Write them to a file."
        )
    return UNWRITTEN if lost else 0


def _secured(stream: TextIO | None, number: int, name: str) -> TextIO:
    if stream is None:
        nowhere = open(number, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
        return cast(TextIO, LossyStream(nowhere, name, "it is closed"))
    if type(stream) is not io.TextIOWrapper:  # somebody else's, such as a test's
        return stream
    stream.reconfigure(errors="backslashreplace")
    return cast(TextIO, LossyStream(stream, name))
