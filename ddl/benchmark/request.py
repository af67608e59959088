"""What every measuring subcommand can be asked: a model, its samples, ranks and rounds."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ddl.benchmark.runner import Setup
from ddl.benchmark.trial import Trial
from ddl.models.zoo import MODELS
from ddl.options import convert_fields
from ddl.ranges import Range, check_ranges

_LEAST_ONE = (
    "image_size",
    "channels",
    "classes",
    "per_rank_batch_size",
    "epoch_steps",
    "ranks",
    "threads",
    "rounds",
)
_RANGES = {
    **dict.fromkeys(_LEAST_ONE, Range(1, 10**7)),
    "epochs": Range(2, 10**6),
    "profile": Range(1, 10**4),
}
STORAGES = ("memory", "hdf5", "png")
_CHOICES = {
    "mixed_precision": ("none", "bfloat16", "float16"),
    "compression": ("none", "bf16", "fp16"),
    "storage": STORAGES,
    "kind": ("weak", "strong"),
}


@dataclass(frozen=True, kw_only=True)
class Request:
    """Measurement.

    Attributes:
        model: of the zoo.
        model_option: of that model, such as width=8.
        image_size: height and width of the pictures.
        channels: of the pictures.
        classes: kinds of pictures; masks have foreground or not.
        per_rank_batch_size: samples a rank and step.
        epoch_steps: steps an epoch.
        epochs: of a run; the first one is the warm-up and does not count.
        ranks: of the job.
        threads: of each rank.
        mixed_precision: "none", "bfloat16" or "float16".
        compression: of gradients between ranks: "none", "bf16" or "fp16".
        rounds: in each of which everything that is compared runs once, in turn.
        output: name of the results, to which .json, .md and .png are added; nothing is written without.
    """

    model: str = "unet"
    model_option: Mapping[str, Any] = field(default_factory=dict)
    image_size: int = 128
    channels: int = 3
    classes: int = 10
    per_rank_batch_size: int = 8
    epoch_steps: int = 16
    epochs: int = 3
    ranks: int = 1
    threads: int = 1
    mixed_precision: str = "none"
    compression: str = "none"
    rounds: int = 3
    output: Path | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot be measured."""
        convert_fields(self)
        check_ranges(vars(self), _RANGES, "a benchmark")
        MODELS.check(self.model, **self.model_option)
        for name, known in _CHOICES.items():
            value = getattr(self, name, known[0])
            if value not in known:
                raise ValueError(
                    f"Received: {name}={value!r}. Expected one of: {', '.join(known)}."
                )

    def trial(self, ranks: int, **changes: Any) -> Trial:
        """Return what each of so many ranks does."""
        names = {one.name for one in dataclasses.fields(Trial)} & set(vars(self))
        known = {name: getattr(self, name) for name in names}
        known["samples"] = self.epoch_steps * self.per_rank_batch_size * ranks
        return Trial(**known | changes)

    def setup(self, ranks: int | None = None, **changes: Any) -> Setup:
        """Return how our loop is started on so many ranks."""
        ranks = ranks or self.ranks
        return Setup(self.trial(ranks, **changes), ranks, self.threads)
