"""Apply the log of an asynchronous run again, in one process, and compare the weights with the run's.

    python scripts/replay.py runs/unet

Exit status 0: the weights are equal to 1e-5. 1: something differs; the first such line of RUN/updates.jsonl is named.
2: there is no such log, it is damaged, or there is nothing to compare with. The run may still be going.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import ddl.command_ends  # noqa: F401 (first: Ctrl-C while the rest loads is one line, too)
from ddl.asynchronous.audit.command import Replaying, replay_from_flags
from ddl.flags import Parser, add_flags


def build_parser() -> Parser:
    """Return a parser with one flag for every field of a replay."""
    parser = Parser("replay", __doc__, "RUN [flags]")
    add_flags(parser, (Replaying,))
    return parser


def main(argv: list[str] | None = None) -> None:
    """Parse, check, replay."""
    sys.exit(replay_from_flags(build_parser(), argv))


if __name__ == "__main__":
    main()
