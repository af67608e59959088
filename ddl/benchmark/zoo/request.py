"""Which models to measure, and on what; a smaller batch for those that do not fit into memory. No TensorFlow."""

from __future__ import annotations

import fnmatch
import re
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ddl.benchmark.runner import Setup, TrialError, run_trial
from ddl.benchmark.trial import Trial
from ddl.benchmark.zoo.results import Measured, report_models
from ddl.machine import available_memory_bytes
from ddl.models.listing import own_size
from ddl.models.zoo import named_models
from ddl.options import convert_fields
from ddl.ranges import Range, check_choices, check_ranges

MEASURE = "ddl.benchmark.zoo.measurement:measure"
MEMORY_MB = "DDL_BENCHMARK_MEMORY_MB"
"""Environment variable with the most memory that the process of a model may take."""

_COUNT = Range(1, 10**7)
_RANGES = {
    **dict.fromkeys(("image_size", "channels", "classes"), Range(0, 10**7)),
    **dict.fromkeys(("per_rank_batch_size", "epoch_steps", "threads"), _COUNT),
    "epochs": Range(2, 10**6),
    "memory_limit_mb": Range(0),
}
_FREE_PART = 0.8
_OUT_OF_MEMORY = re.compile(
    r"bad_alloc|memory ?error|out of memory|\boom\b|resource ?exhausted|(fail|cannot|unable|not)\b.{0,40}alloc|"
    r"could not create a (primitive|memory)",
    re.IGNORECASE,
)
"""What Python, TensorFlow and oneDNN say where they are refused memory."""
_SIGNALS = (signal.SIGABRT, signal.SIGBUS, signal.SIGKILL, signal.SIGSEGV)
"""How a process ends that is refused memory, or that the kernel kills for it."""


@dataclass(frozen=True, kw_only=True)
class ZooRequest:
    """Measurement.

    Attributes:
        models: names of models, separated by spaces; * and ? are wildcards, as in "resnet*".
        image_size: height and width of the pictures; 0 takes those that each model is published for.
        channels: channels of the pictures; 0 takes those that each model is published for.
        classes: classes of the labels; 0 takes as many as each model is published for.
        per_rank_batch_size: samples per step; halved for a model that does not fit into memory, down to 1.
        epoch_steps: steps per epoch, and steps of inference.
        epochs: epochs of training; the first one warms up and does not count.
        mixed_precision: compute dtype of the models: "none", "bfloat16" or "float16".
        threads: threads of each process.
        memory_limit_mb: most memory for the process of a model; 0 takes four fifths of the free memory.
        output: path of the results without an ending; writes .csv, .json, .md and .png.
    """

    models: tuple[str, ...] = ("resnet*",)
    image_size: int = 0
    channels: int = 0
    classes: int = 0
    per_rank_batch_size: int = 32
    epoch_steps: int = 8
    epochs: int = 2
    mixed_precision: str = "none"
    threads: int = 1
    memory_limit_mb: int = 0
    output: Path | None = None

    def __post_init__(self) -> None:
        """Refuse names that no model has, and settings that cannot be measured."""
        convert_fields(self)
        check_ranges(vars(self), _RANGES, "a benchmark")
        check_choices(vars(self), {"mixed_precision": ("none", "bfloat16", "float16")})
        _ = self.names

    @property
    def names(self) -> list[str]:
        """The models that the patterns name, in the order of the patterns, each once."""
        found: dict[str, None] = {}
        for pattern in self.models:
            matching = fnmatch.filter(named_models(), pattern)
            if not matching:
                known = ", ".join(named_models())
                raise ValueError(
                    f"Received: models={pattern}, which no model is called. Expected some of: {known}; * and ? are "
                    "wildcards."
                )
            found |= dict.fromkeys(matching)
        if not found:
            raise ValueError("Received: no models. Expected: names, such as resnet20 or vgg*.")
        return list(found)

    def run(self) -> None:
        """Measure one model after the other. What is measured is reported, also after Ctrl-C."""
        measured: list[Measured] = []
        try:
            for one in self.measure():
                measured.append(one)
                print(one.line, flush=True)
                report_models(self.output, measured, whole=False)
        finally:
            if measured:
                report_models(self.output, measured, whole=True)

    def measure(self) -> Iterator[Measured]:
        """Yield the result of each model."""
        for name in self.names:
            yield self._measure_one(name)

    def _measure_one(self, name: str) -> Measured:
        """Return the result of a model: at the batch that was asked for, or at a half, a quarter, ... of it."""
        batch, note = self.per_rank_batch_size, ""
        while batch:
            setup = self._setup(name, batch)
            try:
                return Measured(name, setup.trial.image_size, batch, run_trial(setup), note)
            except TrialError as error:
                if not _ran_out_of_memory(error):
                    note = f"failed: {_last_line(error)}"
                    break
                note = f"a batch of {batch} does not fit into memory"
                batch //= 2
        return Measured(name, 0, 0, {}, note)

    def _setup(self, name: str, batch: int) -> Setup:
        (side, _, channels), classes = own_size(name)
        trial = Trial(
            way=MEASURE,
            model=name,
            image_size=self.image_size or side,
            channels=self.channels or channels,
            classes=self.classes or classes,
            per_rank_batch_size=batch,
            epochs=self.epochs,
            samples=batch * self.epoch_steps,
            mixed_precision=self.mixed_precision,
        )
        limit = self.memory_limit_mb or int(available_memory_bytes() / 2**20 * _FREE_PART)
        return Setup(trial, 1, self.threads, env={MEMORY_MB: str(limit)})


def _ran_out_of_memory(error: TrialError) -> bool:
    by_signal = error.status is not None and -error.status in _SIGNALS
    return by_signal or _OUT_OF_MEMORY.search(error.output) is not None


def _last_line(error: TrialError) -> str:
    lines = [line.strip() for line in error.output.splitlines() if line.strip()]
    return lines[-1][:200] if lines else f"status {error.status}"
