"""Which values the fields of a plan may have: ranges, and choices. `Plan` checks them."""

from __future__ import annotations

from ddl.data.batches.sample_cache import CACHES
from ddl.data.normalization import NORMALIZATIONS
from ddl.data.order import ORDERS
from ddl.data.slicing.assembly import PRECISIONS
from ddl.distributed.learning_rate import RULES
from ddl.ranges import Range
from ddl.training.optimization.monitor import MODES
from ddl.training.optimization.schedules import WARMUPS
from ddl.training.plan.gan.fields import GAN_LOSSES
from ddl.training.plan.modes.table import MODES as MODES_OF_PARALLEL
from ddl.training.plan.targets import TARGETS

AUTO_PRECISION = "auto"
"""Value of `mixed_precision` that a run replaces when it starts, by what the hardware of all ranks can do."""

_NOT_NEGATIVE = Range(0)
_POSITIVE = Range(0, above=True)
RANGES = {
    "image_size": Range(1),
    "validation_part": Range(0, 1, below=True),
    **dict.fromkeys(("data_threads", "steps_per_execution", "profile"), Range(0, 1024)),
    "probe": Range(0, 65536),
    "seed": Range(0, 2**32, below=True),
    "learning_rate": _POSITIVE,
    "warmup_from": _NOT_NEGATIVE,
    **dict.fromkeys(
        (
            "per_rank_batch_size",
            "keep_last",
            "validate_every_epochs",
            "copy_every_epochs",
        ),
        Range(1),
    ),
    **dict.fromkeys(("epochs", "steps_per_epoch", "global_batch_size"), _NOT_NEGATIVE),
    **dict.fromkeys(("fold", "classes", "warmup_epochs", "schedule_epochs"), _NOT_NEGATIVE),
    **dict.fromkeys(("early_stopping_patience", "early_stopping_min_delta"), _NOT_NEGATIVE),
    **dict.fromkeys(("time_limit_min", "log_every_s", "checkpoint_every_min"), _NOT_NEGATIVE),
    **dict.fromkeys(("checkpoint_every_epochs", "keep_best", "keep_every_epochs"), _NOT_NEGATIVE),
    **dict.fromkeys(("sync_every", "micro_batches", "min_workers"), Range(1)),
    **dict.fromkeys(("max_staleness", "remat"), _NOT_NEGATIVE),
    "workers": Range(0, 1024),
    "lease_timeout_s": _POSITIVE,
    "outer_learning_rate": _POSITIVE,
    "outer_momentum": Range(0, 1, below=True),
}
"""Field -> its range."""

CHOICES = {
    "order": ORDERS,
    "targets": TARGETS,
    "cache": CACHES,
    "normalize": NORMALIZATIONS,
    "learning_rate_scaling": RULES,
    "mixed_precision": ("none", AUTO_PRECISION, "bfloat16", "float16"),
    "compression": ("none", "fp16", "bf16"),
    "jit": ("auto", "true", "false"),
    "monitor_mode": MODES,
    "assembled_precision": PRECISIONS,
    "warmup_shape": WARMUPS,
    "parallel": MODES_OF_PARALLEL,
    "outer_optimizer": ("average", "nesterov"),
    "staleness_scaling": ("inverse", "none"),
    "gan_loss": GAN_LOSSES,
}
"""Field -> its choices. Models, losses, metrics, optimizers and schedules have their own tables."""
