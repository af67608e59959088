"""One training, or a part of one, that is timed: what is asked, and the program that each rank runs.

mpirun -np 2 python -m ddl.benchmark.trial '{"way": "ours", "model": "small_cnn", ...}'
"""

from __future__ import annotations

import dataclasses
import json
import resource
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ddl import options
from ddl.models.zoo import target_of

STARTED = "DDL_BENCHMARK_STARTED"
"""The environment variable that tells when the command was given, as time.time()."""
RESULT = "ddl-benchmark: "

WAYS = {
    "ours": "ddl.benchmark.trials:train_ours",
    "fit": "ddl.benchmark.trials:train_fit",
    "script": "ddl.benchmark.trials:train_script",
    "pipeline": "ddl.benchmark.trials:train_pipeline",
    "alone": "ddl.benchmark.trials:train_alone",
    "apart": "benchmarks.independent_ranks:train_apart",
    "extras": "benchmarks.extras:time_extras",
    "input": "ddl.benchmark.trials:read_input",
    "peer": "benchmarks.horovod_baseline:train_peer",
    "allreduce": "ddl.benchmark.wire:measure",
}
"""What a rank may do -> the function that does it, which takes a `Trial` and returns numbers."""


@dataclass(frozen=True)
class Trial:
    """What each rank does.

    Attributes:
        way: one of `WAYS`.
        model: of the zoo.
        model_option: of that model.
        image_size: height and width of the pictures.
        channels: of the pictures.
        classes: of the labels; masks have foreground or not.
        samples: that an epoch has, on all ranks together.
        epochs: the first is a warm-up and does not count.
        per_rank_batch_size: samples a rank and step.
        mixed_precision: "none", "bfloat16" or "float16".
        compression: of gradients on the wire.
        data: what a training script takes as --data, or None for samples that are made.
        data_option: of these data's format.
        storage: where samples come from: "memory", of those made "hdf5" or "png", of others "files".
        augment: what may happen to a sample.
        checkpoints: whether each epoch ends with one.
        steps_per_execution: 0 finds it by itself.
        profile: steps of our loop that are measured part by part, and as many that are traced.
        draws: whether curves and samples are drawn after every epoch, not once a minute.
        validates: whether a bare `fit` looks at validation samples, as our loop always does.
        seed: of data and weights.
    """

    way: str = "ours"
    model: str = "unet"
    model_option: Mapping[str, Any] = field(default_factory=dict)
    image_size: int = 128
    channels: int = 3
    classes: int = 10
    samples: int = 128
    epochs: int = 3
    per_rank_batch_size: int = 8
    mixed_precision: str = "none"
    compression: str = "none"
    data: str | None = None
    data_option: Mapping[str, Any] = field(default_factory=dict)
    storage: str = "memory"
    augment: Mapping[str, Any] = field(default_factory=dict)
    checkpoints: bool = False
    steps_per_execution: int = 0
    profile: int = 0
    draws: bool = False
    validates: bool = True
    seed: int = 0

    @property
    def model_classes(self) -> int:
        """Classes that the model tells apart: 1 in masks, which have foreground or not."""
        return 1 if target_of(self.model) == "mask" else self.classes

    def to_json(self) -> str:
        """Return it as the program below reads it."""
        return json.dumps(dataclasses.asdict(self))


def peak_mb() -> float:
    """Return the most memory that this process has had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def resident_mb() -> float:
    """Return the memory that this process has at the moment."""
    import psutil

    return float(psutil.Process().memory_info().rss) / 2**20


def rate(samples: int, epoch_s: list[float]) -> float:
    """Return samples a second of all epochs after the first, which is the warm-up."""
    counted = epoch_s[1:] or epoch_s
    return samples * len(counted) / sum(counted)


def main() -> None:
    """Do it; rank 0 prints the result in one line."""
    import ddl.distributed as dist

    trial = Trial(**json.loads(sys.argv[1]))
    begin = time.perf_counter()
    found: dict[str, Any] = options.load(WAYS[trial.way])(trial)
    found |= {"peak_mb": round(peak_mb(), 1), "seconds": round(time.perf_counter() - begin, 3)}
    if not found.pop("rank", dist.rank() if dist.is_initialized() else 0):
        sys.stdout.write(f"\n{RESULT}{json.dumps(found)}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
