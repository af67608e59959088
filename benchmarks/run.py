"""Measure what `docs/performance.md` and `benchmarks/README.md` report.

    python benchmarks/run.py loop --model cnn --image-size 28 --channels 1 --output loop

Knows the subcommands of `scripts/benchmark.py` too. `python benchmarks/run.py WHAT --help` lists the flags of each.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import ddl.command_ends  # noqa: F401 (first: Ctrl-C while the rest loads is one line, too)
from ddl.benchmark import command
from ddl.benchmark.command import Command, Launcher

INSTRUMENTS = {
    "limit": Command(
        "benchmarks.independent_ranks:LimitRequest",
        "Independent ranks, held to the slowest one in each step.",
    ),
    "loop": Command("benchmarks.keras_fit:LoopRequest", "Our loop against model.fit."),
    "stall": Command("benchmarks.keras_fit:StallRequest", "Waiting after an epoch's last step."),
    "precision": Command(
        "benchmarks.precision:PrecisionRequest", "Mixed precision against float32."
    ),
    "compiled": Command(
        "benchmarks.compiled:CompiledRequest", "Steps compiled by XLA against steps as they are."
    ),
    "peers": Command("benchmarks.horovod_baseline:PeersRequest", "Our loop against plain Horovod."),
    "spin": Command("benchmarks.spin:SpinRequest", "How MPI and Horovod wait."),
    "extras": Command("benchmarks.extras:ExtrasRequest", "The cost of metrics and desync checks."),
    "suite": Command(
        "benchmarks.suite:SuiteRequest", "All measurements of benchmarks/definitions.json."
    ),
    "render": Command(
        "benchmarks.render:RenderRequest", "Tables and pictures of the results that are there."
    ),
}
"""A new instrument needs a request in a module, and a line here."""

LAUNCHER = Launcher("run", __doc__, command.COMMANDS | INSTRUMENTS)


def main(argv: list[str] | None = None) -> None:
    """Parse, check and measure."""
    sys.exit(LAUNCHER.main(argv))


if __name__ == "__main__":
    main()
