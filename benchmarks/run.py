"""Measure what `docs/performance.md` and `benchmarks/README.md` report.

    python benchmarks/run.py loop --model cnn --image-size 28 --channels 1 --output loop

Knows the subcommands of `scripts/benchmark.py` too. `python benchmarks/run.py WHAT --help` lists the flags of each.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from ddl.benchmark import command
from ddl.benchmark.command import COMPARE, Command, Launcher

INSTRUMENTS = {
    "limit": Command(
        "benchmarks.independent_ranks:LimitRequest",
        COMPARE,
        "Independent ranks, held to the slowest one in each step.",
    ),
    "loop": Command("benchmarks.keras_fit:LoopRequest", COMPARE, "Our loop against model.fit."),
    "stall": Command(
        "benchmarks.keras_fit:StallRequest", COMPARE, "Waiting after an epoch's last step."
    ),
    "precision": Command(
        "benchmarks.precision:PrecisionRequest", COMPARE, "Mixed precision against float32."
    ),
    "peers": Command(
        "benchmarks.horovod_baseline:PeersRequest", COMPARE, "Our loop against plain Horovod."
    ),
    "spin": Command("benchmarks.spin:SpinRequest", COMPARE, "How MPI and Horovod wait."),
    "extras": Command(
        "benchmarks.extras:ExtrasRequest",
        "benchmarks.extras:run",
        "The cost of metrics and desync checks.",
    ),
    "suite": Command(
        "benchmarks.suite:SuiteRequest",
        "benchmarks.suite:run",
        "All measurements of benchmarks/definitions.json.",
    ),
    "render": Command(
        "benchmarks.render:RenderRequest",
        "benchmarks.render:run",
        "Tables and pictures of the results that are there.",
    ),
}
"""A new instrument needs a request (and its `run`, unless it compares setups) in one module, and a line here."""

LAUNCHER = Launcher("run", __doc__, command.COMMANDS | INSTRUMENTS)


def main(argv: list[str] | None = None) -> None:
    """Parse, check and measure."""
    sys.exit(LAUNCHER.main(argv))


if __name__ == "__main__":
    main()
