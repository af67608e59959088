"""What to train, as one frozen value: whatever a script's flags can say, and nothing else."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path

from ddl.distributed.learning_rate import RULES
from ddl.models.norms import NORMS


@dataclass(frozen=True)
class UnetPlan:
    """A training of the U-Net on pictures and masks.

    Attributes:
        run_dir: where plan, history and model go; must not hold a run yet.
        data: "synthetic", or a file or folder of pictures and masks that `ddl.data.sources` opens.
        validation_part: of data without splits of their own, what is only looked at.
        samples: synthetic pictures to train on.
        validation_samples: synthetic pictures that are only looked at.
        image_size: height and width in pixels that picture files get, a multiple of 2**depth.
        width: channels of the first level.
        depth: levels below the first.
        norm: "sync", "batch", "group" or "none".
        epochs: how often every picture is seen.
        per_rank_batch_size: pictures a rank and step.
        learning_rate: of one rank.
        learning_rate_scaling: "linear", "sqrt" or "none": what N ranks multiply it by.
        warmup_epochs: epochs in which it rises from one rank's value.
        mixed_precision: "none", "bfloat16" or "float16".
        compression: what gradients travel as: "none", "fp16" or "bf16".
        seed: of weights, order and pictures.
    """

    run_dir: Path
    data: str = "synthetic"
    validation_part: float = 0.1
    samples: int = 256
    validation_samples: int = 64
    image_size: int = 96
    width: int = 8
    depth: int = 3
    norm: str = "sync"
    epochs: int = 5
    per_rank_batch_size: int = 8
    learning_rate: float = 1e-3
    learning_rate_scaling: str = "sqrt"
    warmup_epochs: float = 1.0
    mixed_precision: str = "none"
    compression: str = "none"
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse what cannot be trained, before anything starts."""
        for name in (
            "samples",
            "validation_samples",
            "image_size",
            "width",
            "epochs",
            "per_rank_batch_size",
        ):
            if getattr(self, name) < 1:
                raise ValueError(f"Received: {name}={getattr(self, name)}. Expected: 1 or more.")
        for name in ("depth", "warmup_epochs", "seed"):
            if getattr(self, name) < 0:
                raise ValueError(f"Received: {name}={getattr(self, name)}. Expected: 0 or more.")
        if not 0 < self.validation_part < 1:
            raise ValueError(
                f"Received: validation_part={self.validation_part}. Expected: above 0, below 1."
            )
        if not 0 < self.learning_rate < float("inf"):
            raise ValueError(f"Received: learning_rate={self.learning_rate}. Expected: above 0.")
        if self.image_size % 2**self.depth:
            raise ValueError(
                f"Received: image_size={self.image_size}, depth={self.depth}. Expected: a size that "
                f"2**depth = {2**self.depth} divides, such as {self._next_size()}."
            )
        for name, known in _CHOICES.items():
            if getattr(self, name) not in known:
                value = getattr(self, name)
                raise ValueError(
                    f"Received: {name}={value!r}. Expected one of: {', '.join(known)}."
                )

    def check_run_dir(self) -> None:
        """Refuse to overwrite a run. Rank 0 alone calls it: it is about to write there."""
        if (self.run_dir / "plan.json").exists():
            raise ValueError(
                f"Received: run_dir={self.run_dir}, which holds a run already. Expected: a new folder "
                "(or remove that one)."
            )

    def to_json(self) -> str:
        """Return the plan as a JSON object."""
        return json.dumps(dataclasses.asdict(self), indent=2, default=str) + "\n"

    def _next_size(self) -> int:
        unit = 1 << self.depth
        return (self.image_size // unit + 1) * unit


_CHOICES = {
    "norm": NORMS,
    "learning_rate_scaling": RULES,
    "mixed_precision": ("none", "bfloat16", "float16"),
    "compression": ("none", "fp16", "bf16"),
}
