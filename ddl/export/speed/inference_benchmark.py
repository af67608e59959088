"""What is measured of a model's speed in Keras and as exports, as one frozen value. No TensorFlow here."""

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
}


@dataclass(frozen=True)
class InferenceBenchmark:
    """What is measured.

    Attributes:
        model: a run directory, whose data tell Dice or accuracy.
        checkpoint: of it: "final" (model.keras), "best", "auto" (the newest) or an epoch's number.
        size: of the pictures, such as 512 or 384x512; without, that of the run's samples.
        batch_size: pictures a call, for images/s; latency is that of one.
        rounds: in each, every way has its turn.
        turn_s: how long a turn takes, at least.
        latency_calls: of each way.
        calibration_samples: that int8 is made with.
        check_samples: that Dice or accuracy is told of.
        threads: that compute; 0 takes all cores.
        output: a .md file for the table; its figures go into a .json beside it.
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
        """Give every field its type, and refuse what cannot be measured."""
        convert_fields(self)
        values = {**vars(self), "size": None if self.size is None else min(self.size)}
        check_ranges(values, {**_RANGES, "threads": Range(0, 1024)}, "benchmark")
        check_file("output", self.output, (".md",), replaces=True)

    def check_model(self, how: Preprocessing) -> None:
        """Refuse a model whose pictures are not measured, and a size that it does not take.

        Raises:
            ValueError: with what it takes.
        """
        if how.axes != 2:
            raise ValueError(
                "Received: a model of volumes. Expected: one of pictures; volumes are not measured."
            )
        if any(side % how.side_multiple or side < how.least_side for side in self.size or ()):
            raise ValueError(
                f"Received: size={'x'.join(map(str, self.size or ()))}. Expected: multiples of {how.side_multiple}, at "
                f"least {how.least_side}."
            )
