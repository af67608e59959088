"""One timed run: its settings, and the program that each rank runs.

mpirun -np 2 python -m ddl.benchmark.trial '{"model": "cnn", "image_size": 32, ...}'
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
"""Environment variable with the time of the command, as time.time()."""
RESULT = "ddl-benchmark: "


@dataclass(frozen=True)
class Trial:
    """What each rank runs.

    Attributes:
        way: "module:function" that takes the trial and returns numbers.
        model: name of a zoo model.
        model_option: options of that model.
        image_size: height and width of synthetic images.
        channels: channels of synthetic images.
        classes: classes of synthetic labels.
        samples: samples per epoch, on all ranks together.
        epochs: epochs per run; the first one warms up and does not count.
        per_rank_batch_size: samples per rank and step.
        mixed_precision: "none", "bfloat16" or "float16".
        compression: dtype of gradients on the wire.
        data: `--data` of a training script, or None for synthetic samples.
        data_option: options of the data's format.
        storage: "memory"; "hdf5" or "png" for synthetic samples in files, "files" for own data as stored.
        augment: options of the augmentation.
        checkpoints: whether each epoch ends with a checkpoint.
        steps_per_execution: 0 chooses it from the measured step time.
        profile: number of steps to time part by part; as many more are traced.
        draws: whether curves and samples are drawn after every epoch, not once a minute.
        validates: whether a plain `fit` validates, as our loop always does.
        seed: of data and weights.
    """

    way: str = "ddl.benchmark.trials:train"
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
        """Number of classes of the model: 1 for masks."""
        return 1 if target_of(self.model) == "mask" else self.classes

    def to_json(self) -> str:
        """Return the trial as JSON, the program's argument."""
        return json.dumps(dataclasses.asdict(self))


def peak_mb() -> float:
    """Return the peak memory of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def resident_mb() -> float:
    """Return the memory of this process now."""
    import psutil

    return float(psutil.Process().memory_info().rss) / 2**20


def rate(samples: int, epoch_s: list[float]) -> float:
    """Return samples/s over all epochs after the first one, which warms up."""
    counted = epoch_s[1:] or epoch_s
    return samples * len(counted) / sum(counted)


def main() -> None:
    """Run the trial of the command line; rank 0 prints the result in one line."""
    import ddl.distributed as dist

    trial = Trial(**json.loads(sys.argv[1]))
    begin = time.perf_counter()
    found: dict[str, Any] = options.load(trial.way)(trial)
    found |= {"peak_mb": round(peak_mb(), 1), "seconds": round(time.perf_counter() - begin, 3)}
    if not found.pop("rank", dist.rank() if dist.is_initialized() else 0):
        sys.stdout.write(f"\n{RESULT}{json.dumps(found)}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
