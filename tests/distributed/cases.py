"""What "N ranks equal one" is claimed for: one row for each way of training, and the bounds that hold for all.

One process and any number of ranks are given the same global batches. Sizes are small, so that a row takes a second;
27 samples in batches of 8 give parts of different sizes on 2 and 3 ranks, and a last step of 3.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

FULL = ("float64", "float32")

BOUNDS = {
    "float64": 1e-10,
    "float32": 1e-5,
    # Eight times the rounding of the 16 bits that every layer computes in: 2^-11 and 2^-8.
    "mixed_float16": 8 * 2**-11,
    "mixed_bfloat16": 8 * 2**-8,
}
FP16_WIRE = {"float32": 4 * 2**-11}  # each rank's gradient is rounded once, their sum once
BF16_WIRE = {"float32": 4 * 2**-8}


@dataclass(frozen=True)
class Case:
    """One way of training.

    Attributes:
        name: the row's name.
        optimizer: a class of `keras.optimizers`, "LossScale" and "Multi" being made of others.
        options: the optimizer's arguments.
        model: which model and data (`subjects`).
        norm: "none", "group" or "sync".
        samples: of the training data (`validation`: of the validation data); `batch` is the global batch size.
        loop: how a step is taken: "fit", "train_step" (a custom one), "unscaled" (a custom one that does not call
            `scale_loss`), "tape" (a `GradientTape` loop), "even tape" (one that does not say its sample counts).
        feed: what `fit` is given: "generator" (any batch size), "static" (batches of a fixed size) or "arrays".
        fit: more arguments of `compile`.
        wire: arguments of `DistributedOptimizer`.
        weighted: with the user's own sample weights and weighted metrics.
        overflow: whether one sample makes float16 gradients overflow, on one rank alone.
        precisions: those that the row is compared in.
        bounds: where they are not those of `BOUNDS`.
    """

    name: str
    optimizer: str = "SGD"
    options: Mapping[str, Any] = field(default_factory=dict)
    model: str = "dense"
    norm: str = "none"
    samples: int = 27
    batch: int = 8
    validation: int = 0
    epochs: int = 2
    loop: str = "fit"
    feed: str = "generator"
    fit: Mapping[str, Any] = field(default_factory=dict)
    wire: Mapping[str, Any] = field(default_factory=dict)
    weighted: bool = False
    overflow: bool = False
    precisions: tuple[str, ...] = FULL
    bounds: Mapping[str, float] = field(default_factory=dict)

    def bound(self, precision: str) -> float:
        """Return the largest relative difference that the row allows."""
        return self.bounds.get(precision, BOUNDS[precision])

    def steps(self) -> list[int]:
        """Return the samples of each global step of an epoch."""
        return [min(self.batch, self.samples - at) for at in range(0, self.samples, self.batch)]

    def is_uneven(self, ranks: int) -> bool:
        """Return whether ranks ever hold parts of different sizes."""
        return any(step % ranks for step in self.steps())


def row(name: str, optimizer: str = "SGD", **options: Any) -> Case:
    """Return a case; arguments that are no field of it go to the optimizer."""
    fields = {key: options.pop(key) for key in list(options) if key in Case.__dataclass_fields__}
    return Case(name, optimizer, options, **fields)


def validated(*cases: Case) -> tuple[Case, ...]:
    """Return the cases with validation data: 7 samples, in one batch of uneven parts."""
    return tuple(
        case if case.validation or "tape" in case.loop else replace(case, validation=7)
        for case in cases
    )


MOMENTUM: dict[str, Any] = {"learning_rate": 0.05, "momentum": 0.9}

OPTIMIZERS = (
    row("SGD", learning_rate=0.05),
    row("SGD momentum", **MOMENTUM),
    row("SGD nesterov", **MOMENTUM, nesterov=True),
    row("Adam", "Adam", learning_rate=0.01),
    row("Adam amsgrad", "Adam", learning_rate=0.01, amsgrad=True),
    row("AdamW", "AdamW", learning_rate=0.01, weight_decay=0.05),
    row("RMSprop", "RMSprop", learning_rate=0.01),
    row("RMSprop centered", "RMSprop", learning_rate=0.01, momentum=0.5, centered=True),
    row("Nadam", "Nadam", learning_rate=0.01),
    row("Lamb", "Lamb", learning_rate=0.01),
    row("Lion", "Lion", learning_rate=0.005),
    row("Adagrad", "Adagrad", learning_rate=0.05),
    row("Adadelta", "Adadelta", learning_rate=1.0),
    row("Adafactor", "Adafactor", learning_rate=0.01),
    row("Adamax", "Adamax", learning_rate=0.01),
    row("Ftrl", "Ftrl", learning_rate=0.05),
    row("Muon", "Muon", learning_rate=0.01),
    row("ScheduleFreeAdamW", "ScheduleFreeAdamW", learning_rate=0.01),
    row("LossScale", "LossScale", learning_rate=0.01),
    row("Multi", "Multi", learning_rate=0.01),
)

MODELS = validated(
    row("convolution", "Adam", learning_rate=0.01, model="convolution"),
    row("convolution, group norm", model="convolution", norm="group", **MOMENTUM),
    row(
        "convolution, sync batch norm", "Adam", learning_rate=0.01, model="convolution", norm="sync"
    ),
    row("dense, group norm", "AdamW", learning_rate=0.01, norm="group"),
    row("dense, sync batch norm", norm="sync", **MOMENTUM),
    row("sync batch norm, channels first axis", model="images", norm="sync", **MOMENTUM),
    row("embedding", model="embedding", **MOMENTUM),
    row("embedding Adam", "Adam", learning_rate=0.01, model="embedding"),
    row("embedding RMSprop", "RMSprop", learning_rate=0.01, model="embedding"),
    row("embedding as dense", model="embedding", wire={"sparse_as_dense": True}, **MOMENTUM),
    row(
        "embedding as dense Adam",
        "Adam",
        learning_rate=0.01,
        model="embedding",
        wire={"sparse_as_dense": True},
    ),
    row("embedding, accumulation", model="embedding", gradient_accumulation_steps=2, **MOMENTUM),
    row("embedding, clipnorm", model="embedding", clipnorm=0.05, **MOMENTUM),
    row(
        "two outputs, a variable without gradient",
        "Adam",
        learning_rate=0.01,
        model="two outputs",
        batch=9,
    ),
    row("classifier, AUC", "Adam", learning_rate=0.01, model="classifier"),
    row("regularizers and constraints", model="regularized", **MOMENTUM),
)

UPDATES = (
    row("accumulation 2", gradient_accumulation_steps=2, **MOMENTUM),
    row("accumulation 3", "Adam", learning_rate=0.01, gradient_accumulation_steps=3),
    row(
        "accumulation 3, sync batch norm, global clipnorm",
        optimizer="AdamW",
        learning_rate=0.01,
        gradient_accumulation_steps=3,
        norm="sync",
        global_clipnorm=0.05,
    ),
    row("clipnorm", clipnorm=0.05, **MOMENTUM),
    row("global clipnorm", global_clipnorm=0.05, **MOMENTUM),
    row("clipvalue", clipvalue=0.01, **MOMENTUM),
    row("accumulation 2, clipnorm", gradient_accumulation_steps=2, clipnorm=0.05, **MOMENTUM),
    row("EMA", use_ema=True, ema_momentum=0.9, **MOMENTUM),
    row(
        "EMA, overwrite",
        "Adam",
        learning_rate=0.01,
        use_ema=True,
        ema_momentum=0.9,
        ema_overwrite_frequency=3,
    ),
    row(
        "EMA, accumulation 2",
        use_ema=True,
        ema_momentum=0.9,
        gradient_accumulation_steps=2,
        **MOMENTUM,
    ),
    row("warm-up", learning_rate="warm-up", momentum=0.9),
    row("weight decay", weight_decay=0.1, **MOMENTUM),
)

SAMPLES = validated(
    row("one sample in the last step", samples=25, **MOMENTUM),
    row("one sample in the last step, sync batch norm", samples=25, norm="sync", **MOMENTUM),
    row("fewer samples than ranks", samples=1, epochs=4, validation=1, **MOMENTUM),
    row(
        "fewer samples than ranks, convolution, sync batch norm",
        samples=1,
        validation=1,
        epochs=4,
        model="convolution",
        norm="sync",
        **MOMENTUM,
    ),
    row("divides evenly", samples=24, batch=6, validation=6, feed="static", **MOMENTUM),
    row("NumPy arrays", batch=6, validation=6, feed="arrays", norm="sync", **MOMENTUM),
    row("sample weights", weighted=True, **MOMENTUM),
    row(
        "sample weights, one sample in the last step",
        "Adam",
        learning_rate=0.01,
        weighted=True,
        samples=25,
    ),
    row(
        "sample weights, sync batch norm, accumulation 2",
        weighted=True,
        samples=25,
        norm="sync",
        gradient_accumulation_steps=2,
        **MOMENTUM,
    ),
)

WAYS = validated(
    row("steps_per_execution 2", "Adam", learning_rate=0.01, fit={"steps_per_execution": 2}),
    row("run_eagerly", "Adam", learning_rate=0.01, norm="sync", fit={"run_eagerly": True}),
    row("jit_compile", "Adam", learning_rate=0.01, fit={"jit_compile": True}),
    row(
        "jit_compile, sync batch norm (compiled nothing)",
        norm="sync",
        fit={"jit_compile": True},
        **MOMENTUM,
    ),
    row("train_step", "Adam", learning_rate=0.01, loop="train_step"),
    row("train_step, sync batch norm", loop="train_step", norm="sync", **MOMENTUM),
    row("train_step without scale_loss", loop="unscaled", **MOMENTUM),
    row("train_step without scale_loss, sync batch norm", loop="unscaled", norm="sync", **MOMENTUM),
    row("GradientTape loop", "Adam", learning_rate=0.01, loop="tape"),
    row("GradientTape loop, sync batch norm", loop="tape", norm="sync", **MOMENTUM),
    row("GradientTape loop, even steps", loop="even tape", samples=24, batch=6, **MOMENTUM),
)

# Well conditioned on purpose: see docs/numbers.md.
FLOAT16 = {"precisions": ("mixed_float16",), "model": "smooth", "norm": "group", **MOMENTUM}
MIXED = validated(
    row("mixed_float16", **FLOAT16),
    row("mixed_float16, overflow on one rank", overflow=True, epochs=3, **FLOAT16),
    row(
        "mixed_float16, overflow, accumulation 2",
        overflow=True,
        epochs=3,
        gradient_accumulation_steps=2,
        **FLOAT16,
    ),
    row(
        "mixed_float16, overflow, sync batch norm",
        overflow=True,
        epochs=3,
        **(FLOAT16 | {"norm": "sync"}),
    ),
    row("mixed_float16, overflow, global clipnorm", overflow=True, global_clipnorm=0.05, **FLOAT16),
    row("mixed_bfloat16", **(FLOAT16 | {"precisions": ("mixed_bfloat16",)})),
    row(
        "mixed_bfloat16, sync batch norm",
        **(FLOAT16 | {"precisions": ("mixed_bfloat16",), "norm": "sync"}),
    ),
)

WIRE = (
    row(
        "fp16 on the wire",
        wire={"compression": "fp16"},
        precisions=("float32",),
        bounds=FP16_WIRE,
        **MOMENTUM,
    ),
    row(
        "bf16 on the wire",
        wire={"compression": "bf16"},
        precisions=("float32",),
        bounds=BF16_WIRE,
        **MOMENTUM,
    ),
)

GROUPS: dict[str, tuple[Case, ...]] = {
    "Optimizers": OPTIMIZERS,
    "Models and normalization": MODELS,
    "Updates": UPDATES,
    "Samples": SAMPLES,
    "Ways to train": WAYS,
    "Mixed precision": MIXED,
    "Compression": WIRE,
}
CASES: dict[str, Case] = {case.name: case for group in GROUPS.values() for case in group}

SUBSET = (
    "Adam",
    "convolution, sync batch norm",
    "embedding",
    "accumulation 2",
    "one sample in the last step, sync batch norm",
    "mixed_float16, overflow on one rank",
)

FIRST = (
    *SUBSET,
    "LossScale",
    "Multi",
    "two outputs, a variable without gradient",
    "classifier, AUC",
    "embedding as dense",
    "accumulation 3, sync batch norm, global clipnorm",
    "EMA, overwrite",
    "fewer samples than ranks, convolution, sync batch norm",
    "divides evenly",
    "NumPy arrays",
    "sample weights, sync batch norm, accumulation 2",
    "steps_per_execution 2",
    "run_eagerly",
    "jit_compile",
    "train_step, sync batch norm",
    "train_step without scale_loss",
    "GradientTape loop",
    "GradientTape loop, even steps",
    "mixed_float16, overflow, sync batch norm",
    "mixed_bfloat16, sync batch norm",
    "fp16 on the wire",
)
"""Rows of the first tier on two ranks: every way through this package's code. What they leave out differs from one of
them in what Keras does by itself, such as an optimizer's update after the reduction."""

BRIEF = (
    "embedding",
    "one sample in the last step, sync batch norm",
    "mixed_float16, overflow on one rank",
)
"""Rows of the first tier on three ranks, under other launchers, and with the package broken."""

FUSED = ("Adam", "convolution, sync batch norm")
"""Rows that compute otherwise in float32 than in float64: the first tier has them in both."""
