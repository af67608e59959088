"""Benchmark a trained model in Keras and OpenVINO: size, images/s, latency, and Dice or accuracy.

    python scripts/benchmark_inference.py runs/cells --size 512 --output speed.md

Each round measures every backend in turn, so that noise affects all of them alike. The table shows medians, with
minimum and maximum over all rounds in brackets.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import ddl.command_ends  # noqa: F401 (first: Ctrl-C while the rest loads is one line, too)
from ddl.export.export_command import benchmark_from_flags
from ddl.export.speed.inference_benchmark import InferenceBenchmark
from ddl.flags import Parser, add_flags


def build_parser() -> Parser:
    """Return a parser with one flag for every field of a benchmark."""
    parser = Parser("benchmark_inference", __doc__, "RUN [flags]")
    add_flags(parser, (InferenceBenchmark,))
    return parser


def main(argv: list[str] | None = None) -> None:
    """Parse, check, measure."""
    sys.exit(benchmark_from_flags(build_parser(), argv))


if __name__ == "__main__":
    main()
