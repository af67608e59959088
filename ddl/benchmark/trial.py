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
from ddl.data.pictures.synthetic_scene import SHAPES
from ddl.models.from_file import own_classes
from ddl.models.zoo import target_of

STARTED = "DDL_BENCHMARK_STARTED"
"""Environment variable with the time of the command, as time.time()."""
RESULT = "ddl-benchmark: "


@dataclass(frozen=True, kw_only=True)
class Workload:
    """A model and its samples.

    Attributes:
        model: name of a zoo model.
        model_option: option of that model, such as width=8.
        image_size: height and width of the synthetic images.
        channels: channels of the synthetic images.
        classes: classes of synthetic labels; synthetic masks have foreground and background only.
        per_rank_batch_size: samples per rank and step.
        epochs: epochs per run; the first one warms up and does not count.
        mixed_precision: compute dtype of the model: "none", "bfloat16" or "float16".
        compression: dtype of gradients on the wire: "none", "bf16" or "fp16".
        jit: whether XLA compiles the steps: "auto", "true" or "false".
    """

    model: str = "unet"
    model_option: Mapping[str, Any] = field(default_factory=dict)
    image_size: int = 128
    channels: int = 3
    classes: int = 10
    per_rank_batch_size: int = 8
    epochs: int = 3
    mixed_precision: str = "none"
    compression: str = "none"
    jit: str = "auto"

    @property
    def model_classes(self) -> int:
        """Number of classes of the model: 1 for masks; that of its file for a network."""
        own = own_classes(self.model, self.model_option)
        if own is not None:
            return own
        kind = target_of(self.model, self.model_option)
        most = len(SHAPES) if kind == "boxes" else self.classes
        return 1 if kind == "mask" else min(self.classes, most)


@dataclass(frozen=True, kw_only=True)
class Trial(Workload):
    """What each rank runs.

    `storage` is "memory"; "hdf5" or "png" for synthetic samples in files; or "files" for own data as stored.
    """

    way: str = "ddl.benchmark.trials:train"  # function that takes the trial and returns numbers
    samples: int = 128  # per epoch, on all ranks together
    data: str | None = None  # `--data` of a training script, or None for synthetic samples
    data_option: Mapping[str, Any] = field(default_factory=dict)
    storage: str = "memory"
    augment: Mapping[str, Any] = field(default_factory=dict)
    checkpoints: bool = False  # whether each epoch ends with one
    profile: int = 0  # steps to time part by part; as many more are traced
    draws: bool = False  # whether every epoch draws curves and samples, not only one a minute
    validates: bool = True  # whether a plain `fit` validates, as our loop always does
    seed: int = 0

    def to_json(self) -> str:
        """Return the trial as JSON, the program's argument."""
        return json.dumps(dataclasses.asdict(self))


def rate(samples: int, epoch_s: list[float]) -> float:
    """Return samples/s over all epochs after the first one, which warms up."""
    counted = epoch_s[1:] or epoch_s
    return samples * len(counted) / sum(counted)


def main() -> None:
    """Run the trial of the command line; rank 0 prints the result in one line."""
    import ddl.distributed as dist

    trial = Trial(**json.loads(sys.argv[1]))
    begin = time.perf_counter()
    result: dict[str, Any] = options.load(trial.way)(trial)
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    result |= {"peak_mb": round(peak_mb, 1), "seconds": round(time.perf_counter() - begin, 3)}
    if not result.pop("rank", dist.rank() if dist.is_initialized() else 0):
        print(f"\n{RESULT}{json.dumps(result)}", flush=True)


if __name__ == "__main__":
    main()
