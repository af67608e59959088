"""The fields of a `Plan`, in parts: types, defaults, and what a command line says of them. Nothing is checked here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True, kw_only=True)
class DataPlan:
    """Data.

    Attributes:
        data: a file or folder; or "synthetic" or "synthetic-3d" (pictures with masks) or "faces" (pictures with
            labels), which need no file.
        data_option: of the data's format, such as count=500 of synthetic data or channels=grey of picture files.
        validation_data: other data, only looked at; without them a part of `data` is.
        validation_part: share of `data` that is only looked at, above 0 and below 1; a file with splits has its own.
        fold: of a prepared file with folds: this one is only looked at, the others are trained on.
        image_size: height x width in pixels that picture files are brought to and synthetic ones made in, such as 128
            or 96x128.
        classes: kinds of pixels or pictures; 0 asks the data for labels, and for masks means foreground or not.
        order: "global": all ranks share every step's samples out. "contiguous": each rank reads its own block only.
        cache: "auto" keeps up to 256 MiB of data in memory, "memory" as much as fits and refuses more, "none" reads
            them anew in every epoch.
        augment: what may happen to a training sample, such as flip=true rotation_degrees=15 crop_size=64.
        data_threads: threads a rank that read and augment; 0 takes its share of the cores.
    """

    data: str = "synthetic"
    data_option: Mapping[str, Any] = field(default_factory=dict)
    validation_data: str | None = None
    validation_part: float = 0.1
    fold: int | None = None
    image_size: tuple[int, ...] | None = None
    classes: int = 0
    order: str = "global"
    cache: str = "auto"
    augment: Mapping[str, Any] = field(default_factory=dict)
    data_threads: int = 0


@dataclass(frozen=True, kw_only=True)
class ModelPlan:
    """Model, loss and metrics.

    Attributes:
        model: what is trained.
        model_option: of that model, such as width=32 depth=3.
        init_weights: saved model, checkpoint or run whose weights the training starts from, in all layers whose names
            and shapes agree.
        freeze: layers that keep their weights, by name, with * and ?, such as "down_*".
        loss: what is made small.
        loss_option: of that loss, such as smooth=1.
        metric: what else is measured, several with spaces.
        metric_option: of a metric, with its name in front, such as hausdorff_95.spacing=1,0.5.
        mixed_precision: compute in "bfloat16" or "float16", which GPUs and some CPUs are faster in; or "none".
    """

    model: str = "unet"
    model_option: Mapping[str, Any] = field(default_factory=dict)
    init_weights: Path | None = None
    freeze: tuple[str, ...] = ()
    loss: str = "dice_crossentropy"
    loss_option: Mapping[str, Any] = field(default_factory=dict)
    metric: tuple[str, ...] = ("dice",)
    metric_option: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    mixed_precision: str = "none"


@dataclass(frozen=True, kw_only=True)
class OptimizerPlan:
    """Optimizer and learning rate.

    Attributes:
        optimizer: one of Keras's.
        optimizer_option: of that optimizer, under Keras's names, such as global_clipnorm=1 or use_ema=true.
        learning_rate: that of one rank.
        learning_rate_scaling: what N ranks multiply it by: "linear" by N, "sqrt" by its root, "none" by 1.
        warmup_epochs: in which the rate rises from one rank's to that of all.
        schedule: how the rate goes on from there.
        schedule_option: of that schedule, such as final_factor=0.01 of "cosine".
        schedule_epochs: that "cosine" and "polynomial" are stretched over; 0 takes `epochs`.
        compression: what gradients travel as between ranks: "fp16", "bf16", or "none" for what they are.
    """

    optimizer: str = "adam"
    optimizer_option: Mapping[str, Any] = field(default_factory=dict)
    learning_rate: float = 1e-3
    learning_rate_scaling: str = "sqrt"
    warmup_epochs: float = 1.0
    schedule: str = "constant"
    schedule_option: Mapping[str, Any] = field(default_factory=dict)
    schedule_epochs: int = 0
    compression: str = "none"


@dataclass(frozen=True, kw_only=True)
class RunPlan:
    """Run.

    Attributes:
        run_dir: folder for everything about this run; must not hold another one.
        epochs: how often every sample is seen, earlier starts of a resumed run included.
        per_rank_batch_size: samples a rank and step; N ranks learn from N times as many at once.
        steps_per_execution: steps that TensorFlow takes in one call; 0 finds it by itself from the measured time of a
            step. What is learned is the same to the bit.
        seed: of weights, order, augmentation, split and synthetic data.
        monitor: the value by which an epoch is better than another: "loss" or a metric, with "val_" in front that of
            the validation data.
        monitor_mode: whether less ("min") or more ("max") of it is better; "auto" tells by the name.
        early_stopping_patience: epochs without progress of `monitor` after which the training ends; 0 never ends it.
        early_stopping_min_delta: what progress is at least.
        time_limit_min: after so long the run ends with a checkpoint and status 75, to be resumed; 0 for none.
        log_every_s: between two lines of progress where the output is no terminal.
        tensorboard: write TensorBoard events.
        profile: steps that are measured after a warm-up, to say where their time goes; 0 for none. RUN_DIR/profile gets
            Horovod's timeline and a TensorFlow trace of three more.
    """

    run_dir: Path
    epochs: int = 5
    per_rank_batch_size: int = 8
    steps_per_execution: int = 0
    seed: int = 0
    monitor: str = "val_loss"
    monitor_mode: str = "auto"
    early_stopping_patience: int = 0
    early_stopping_min_delta: float = 0.0
    time_limit_min: float = 0.0
    log_every_s: float = 10.0
    tensorboard: bool = True
    profile: int = 0


@dataclass(frozen=True, kw_only=True)
class CheckpointPlan:
    """Checkpoints and resume.

    Attributes:
        resume: go on from the end of an epoch, such as 40; from the newest good checkpoint or, without one, from the
            start ("auto"); from the "best"; or from a file or another run.
        checkpoint_every_epochs: between two checkpoints; 0 writes none.
        checkpoint_every_min: between two checkpoints in the middle of epochs; 0 writes none.
        keep_last: newest checkpoints that stay.
        keep_best: best checkpoints, by `monitor`, that stay.
        keep_every_epochs: between checkpoints that stay for good; 0 for none.
    """

    resume: str | None = None
    checkpoint_every_epochs: int = 1
    checkpoint_every_min: float = 15.0
    keep_last: int = 2
    keep_best: int = 1
    keep_every_epochs: int = 10


PARTS = (RunPlan, DataPlan, ModelPlan, OptimizerPlan, CheckpointPlan)
