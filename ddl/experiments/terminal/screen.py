"""A block of lines that is redrawn in place on a terminal, with permanent lines above it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TextIO

from ddl.experiments.terminal.words import has_colours
from ddl.plain_text import encodable

_LEAST_LINES = 3


class Screen:
    """Shows a block of lines. Without a terminal it prints the permanent lines only.

    The lines must be escaped already, and no wider than the terminal. A terminal that is lost (a broken connection)
    gets nothing more.
    """

    def __init__(self, stream: TextIO, *, redraws: bool | None = None) -> None:
        """Show on a stream. Without `redraws` a terminal that can is redrawn."""
        self._stream = stream
        can = stream.isatty() and os.environ.get("TERM") != "dumb"
        self.redraws = can if redraws is None else redraws
        self.has_colours = self.redraws and has_colours(stream)
        self._height = 0

    def show(self, lines: Sequence[str]) -> None:
        """Draw the block anew. What has no room is left out in its middle; the last line, a sum, stays."""
        room = self._rows() - 1
        if len(lines) > room:
            left_out = len(lines) - room + 1
            lines = [
                *lines[: room - 2],
                f"... {left_out} more lines; `status` shows all",
                lines[-1],
            ]
        self._write(self._cleared() + "".join(f"{line}\n" for line in lines))
        self._height = len(lines)

    def tell(self, line: str) -> None:
        """Print a permanent line, above the block where there is one."""
        self._write(f"{self._cleared()}{line}\n")
        self._height = 0

    def close(self) -> None:
        """Leave the block as it stands."""
        self._height = 0

    def _cleared(self) -> str:
        return f"\x1b[{self._height}A\r\x1b[J" if self._height else ""

    def _rows(self) -> int:
        try:
            return max(os.get_terminal_size(self._stream.fileno()).lines or 24, _LEAST_LINES + 1)
        except (OSError, ValueError):
            return 24

    def _write(self, text: str) -> None:
        self._stream.write(encodable(text))
        self._stream.flush()
