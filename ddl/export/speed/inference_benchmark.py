"""Settings of scripts/benchmark_inference.py. No TensorFlow here."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ddl.data.preprocessing import Preprocessing
from ddl.files import check_file
from ddl.options import convert_fields
from ddl.ranges import Range, check_ranges

_RANGES = {
    "size": Range(8, 8192),
    "batch_size": Range(1),
    "rounds": Range(1),
    "turn_s": Range(0, above=True),
    "latency_calls": Range(1),
    "calibration_samples": Range(1),
    "check_samples": Range(1),
    "threads": Range(0, 1024),
}


@dataclass(frozen=True)
class InferenceBenchmark:
    """Inference benchmark.

    Attributes:
        model: run directory; Dice or accuracy is computed on its data.
        checkpoint: checkpoint of the run: "final" (model.keras), "best", "auto" (the newest) or an epoch number.
        size: picture size, such as 512 or 384x512; the size of the run's samples if not given.
        batch_size: pictures per call when measuring images/s; latency is measured with one picture.
        rounds: number of rounds; each round measures every backend once.
        turn_s: minimum time for one backend in one round.
        latency_calls: calls per backend when measuring latency.
        calibration_samples: samples for int8 calibration.
        check_samples: samples for Dice or accuracy.
        threads: compute threads; 0 uses all cores.
        output: path of an .md file for the table; the figures are saved in a .json file of the same name.
    """

    model: Path
    checkpoint: str = "final"
    size: tuple[int, int] | None = None
    batch_size: int = 8
    rounds: int = 5
    turn_s: float = 3.0
    latency_calls: int = 50
    calibration_samples: int = 300
    check_samples: int = 50
    threads: int = 0
    output: Path | None = None

    def __post_init__(self) -> None:
        """Convert the fields to their types and check them."""
        convert_fields(self)
        check_ranges(vars(self), _RANGES, "benchmark")
        check_file("output", self.output, (".md",), replaces=True)
        if self.output is not None and not self.output.exists():  # no table of an earlier benchmark
            check_file("output", self.output, parts=[self.output.with_suffix(".json")])

    def check_model(self, how: Preprocessing) -> None:
        """Check that the benchmark supports this model, and the model this picture size.

        Raises:
            ValueError: a model of volumes, or a size that the model does not accept.
        """
        if how.axes != 2:
            raise ValueError(
                "Received: a model of volumes. Expected: a model of pictures; the benchmark does not support volumes."
            )
        if any(side % how.side_multiple or side < how.least_side for side in self.size or ()):
            raise ValueError(
                f"Received: size={'x'.join(map(str, self.size or ()))}. Expected: multiples of {how.side_multiple}, at "
                f"least {how.least_side}."
            )
