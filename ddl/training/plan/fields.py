"""The fields of a `Plan`, by topic: types, defaults and help texts. `Plan` validates them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ddl.training.plan.gan.fields import AdversarialPlan


@dataclass(frozen=True, kw_only=True)
class DataPlan:
    """Data.

    Attributes:
        data: file or folder to train on; or "synthetic", "synthetic-3d" (images with masks), "synthetic-labels" or
            "faces" (images with labels), "synthetic-boxes" (images with boxes), "diffusion-maps", "diffusion-maps-3d"
            or "burgers" (inputs of equations), which need no file.
        data_option: options of the data format, such as count=500 (synthetic data) or channels=grey (image files);
            split=train names the split to train on.
        validation_data: file or folder to validate on, by its validation or else its test split; by default the
            validation split of `data`, or a fraction of it.
        target_data: file or folder of the targets of `data`, where they are not inside it, paired by name; the data
            themselves for an autoencoder.
        target_data_option: options of the format of `target_data`, such as channels=grey or format=channels-first.
        validation_target_data: file or folder of the targets of `validation_data`.
        test_target_data: file or folder of the targets of `test_data`.
        targets: what the target of a sample is: "mask" (class numbers of a picture), "label", or "values" (numbers
            taken as they are: autoencoders, regression; by default with loss=mse and metric=mae); "auto": what the
            model predicts.
        validation_part: fraction of `data` held out for validation, between 0 and 1; not for files with
            their own splits. 0 trains without validation: `monitor` is then the loss.
        fold: fold of a prepared file held out for validation; the model trains on the other folds.
        test_data: file or folder that `evaluate` tests the model on; by default the test split of `data`, if it has
            one.
        image_size: size in pixels (height x width) to resize image files to, and to make synthetic images in, such as
            128 or 96x128.
        classes: number of classes; 0 counts the labels in the data, or takes those of a file from prepare_data.py
            --mask-mode classes; for all other masks it means one foreground class.
        order: "global" shuffles all samples and splits each global batch over the ranks; "contiguous" lets each rank
            read only its own block.
        cache: "auto" caches up to 256 MiB of data in memory, "memory" caches all and fails if it does not fit, "none"
            reads from disk in every epoch.
        steps_per_epoch: steps after which an epoch ends: the first ones of its own random order; 0 uses every sample
            once an epoch.
        normalize: "channels" subtracts the mean of each channel over the training samples and divides by its
            deviation; the model keeps both numbers.
        class_weight: weight of each class in the training loss, such as 0=1,1=3.5; "balanced" gives all classes the
            same share of it.
        augment: random augmentation of training samples, such as flip=true rotation_degrees=15 crop_size=64.
        transform: changes of inputs and targets, in this order, such as resize=128x128 random_horizontal_flip=0.5;
            those that draw are for training samples only.
        input_transform: the same for inputs alone, after those of `transform`, such as normalize=0.5,0.2.
        target_transform: the same for targets alone.
        mix: mixing of pictures and labels in each global batch, for models that predict labels, such as mixup=0.2
            cutmix=1; of pictures with boxes, mosaic=0.5.
        data_threads: threads per rank that read and augment samples; 0 divides the CPU cores among the ranks.
        slicer: sets of slices that one large array (HDF5, .npy, .npz) is cut into, each a quoted text such as
            "name=a sizes=64,64,64 strides=32,32,32"; others are padding, padded_sizes, discard_remainders, transpose.
    """

    data: str = "synthetic"
    data_option: Mapping[str, Any] = field(default_factory=dict)
    target_data: str | None = None
    target_data_option: Mapping[str, Any] = field(default_factory=dict)
    targets: str = "auto"
    validation_data: str | None = None
    validation_target_data: str | None = None
    validation_part: float = 0.1
    fold: int | None = None
    test_data: str | None = None
    test_target_data: str | None = None
    image_size: tuple[int, ...] | None = None
    classes: int = 0
    order: str = "global"
    cache: str = "auto"
    steps_per_epoch: int = 0
    normalize: str = "none"
    class_weight: str = "none"
    augment: Mapping[str, Any] = field(default_factory=dict)
    transform: tuple[str, ...] = ()
    input_transform: tuple[str, ...] = ()
    target_transform: tuple[str, ...] = ()
    mix: Mapping[str, Any] = field(default_factory=dict)
    data_threads: int = 0
    slicer: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class ModelPlan:
    """Model, loss and metrics.

    Attributes:
        model: model to train.
        model_option: options of the model, such as width=32 depth=3.
        init_weights: saved model, checkpoint, run directory or .h5 weights of Keras 2 to initialize weights from, for
            every layer whose name and shapes match.
        freeze: names of layers to freeze; * and ? are wildcards, as in "down_*".
        loss: loss function to minimise.
        loss_option: options of the loss, such as smooth=1.
        metric: metrics to compute on training and validation data, separated by spaces.
        metric_option: options of a metric, prefixed with its name, such as hausdorff_95.spacing=1,0.5.
        mixed_precision: compute in "bfloat16" or "float16": faster on GPUs and on CPUs with instructions for it, slower
            on others; "auto" takes bfloat16 if the hardware of all ranks has it, else "none", which is float32.
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
        optimizer: optimizer of Keras, or one with PyTorch's formulas.
        optimizer_option: options of the optimizer, under Keras's names, such as global_clipnorm=1 or use_ema=true.
        learning_rate: base learning rate, per rank.
        learning_rate_scaling: how the learning rate grows with the number of ranks N: "linear" multiplies it by N,
            "sqrt" by the square root of N, "none" by 1.
        no_decay_on: weights without weight decay: "bias", "norm" (scale and shift of normalization layers), or
            patterns of weight names; * and ? are wildcards, as in "head/*".
        warmup_epochs: epochs over which the learning rate rises from `warmup_from` to the scaled rate.
        warmup_from: learning rate at the start of the warm-up; by default the base rate.
        warmup_shape: "linear" raises the rate at every step, "staircase" at the start of each epoch.
        schedule: learning rate schedule after the warm-up.
        schedule_option: options of the schedule, such as final_factor=0.01 for "cosine".
        plateau: options of a plateau in addition to another schedule, such as patience=5 monitor=val_top_1.
        schedule_epochs: length of "cosine" and "polynomial" in epochs; 0 uses `epochs`.
        compression: dtype of gradients, or of changes with parallel=local, on the wire: "fp16", "bf16", or "none" to
            send them uncompressed.
    """

    optimizer: str = "adam"
    optimizer_option: Mapping[str, Any] = field(default_factory=dict)
    learning_rate: float = 1e-3
    learning_rate_scaling: str = "sqrt"
    no_decay_on: tuple[str, ...] = ()
    warmup_epochs: float = 1.0
    warmup_from: float | None = None
    warmup_shape: str = "linear"
    schedule: str = "constant"
    schedule_option: Mapping[str, Any] = field(default_factory=dict)
    plateau: Mapping[str, Any] = field(default_factory=dict)
    schedule_epochs: int = 0
    compression: str = "none"


@dataclass(frozen=True, kw_only=True)
class RunPlan:
    """Run.

    Attributes:
        run_dir: directory for all outputs of this run; must not contain another run unless `resume` is given. Scripts
            take the environment variable RUN_DIR where the flag is missing.
        epochs: total number of epochs, including those before a resume; with `resume` alone the number that the run
            has planned, and ten more where these are complete; 0 trains nothing, and validates the model of
            `init_weights` once.
        per_rank_batch_size: batch size per rank; the global batch size is N times this on N ranks.
        global_batch_size: batch size over all ranks, in place of `per_rank_batch_size`; shares may differ by one
            sample, and the learning rate is not scaled.
        steps_per_execution: steps per compiled TensorFlow call; 0 chooses it from the measured step time. The trained
            weights are bit-identical either way.
        jit: whether XLA compiles forward and backward pass: "true", "false", or "auto", which measures both after the
            first steps of a run that is long enough, and takes the faster one. The results are the same to rounding.
        evaluate: test the model on `test_data` before and after training.
        seed: random seed for weights, sample order, augmentation, validation split and synthetic data.
        monitor: quantity that decides which epoch is best: "loss" or a metric; prefix "val_" for validation data.
        monitor_mode: whether lower ("min") or higher ("max") monitored values are better; "auto": by the name.
        early_stopping_patience: stop after this many epochs without improvement of `monitor`; 0 disables early
            stopping.
        early_stopping_min_delta: smallest change of `monitor` that counts as an improvement.
        target: value at which the run ends, such as val_top_1=0.9. The direction follows from the name; for `monitor`
            also from `monitor_mode`.
        validate_every_epochs: epochs between validations; the last epoch is always validated.
        restore_best: at the end, take the weights of the best epoch by `monitor` for the final model.
        time_limit_min: minutes after which the run writes a checkpoint and exits with status 75, to be resumed; 0 means
            no limit.
        log_every_s: seconds between progress lines when the output is not a terminal.
        layer_table: print the model's layers before training; RUN_DIR/model.txt always has them.
        tensorboard: write TensorBoard events.
        mlperf_log: file for MLPerf's log lines (":::MLLOG {...}"), written by rank 0.
        epoch_log: start of the names of two logs, NAME_train.txt with a line of numbers for each batch, and
            NAME_test.txt with one for each validation; a new run replaces them. It turns on `gradient_norm`.
        gradient_norm: compute the norm of the gradient over all ranks in each batch; the history has its mean.
        prediction_output: folder for the raw predictions after each validation, in output_EPOCH.h5, with a data set
            for each sample, channels first.
        graph: write the model's layers and connections to RUN_DIR/network.dot, for Graphviz.
        profile: number of steps to profile after a warm-up; 0 disables it. RUN_DIR/profile gets Horovod's timeline and
            a TensorFlow trace of three more steps.
        probe: number of training samples on which to measure each layer after each epoch: norms of gradient and
            weights, last update, dead units, outputs; 0 disables it, the flag alone takes 64. RUN_DIR/probe.jsonl gets
            a line an epoch, and RUN_DIR/probe.png shows them.
        assembled_output: HDF5 file for the predictions of all slices of the validation data, put together after each
            validation; channels last, in place of the file before.
        assembled_precision: its type: "single" (float32) or "half" (float16).
    """

    run_dir: Path
    epochs: int = 5
    per_rank_batch_size: int = 8
    global_batch_size: int = 0
    steps_per_execution: int = 0
    jit: str = "auto"
    evaluate: bool = False
    seed: int = 0
    monitor: str = "val_loss"
    monitor_mode: str = "auto"
    early_stopping_patience: int = 0
    early_stopping_min_delta: float = 0.0
    target: str | None = None
    validate_every_epochs: int = 1
    restore_best: bool = False
    time_limit_min: float = 0.0
    log_every_s: float = 10.0
    layer_table: bool = False
    tensorboard: bool = True
    mlperf_log: Path | None = None
    epoch_log: Path | None = None
    gradient_norm: bool = False
    prediction_output: Path | None = None
    graph: bool = False
    profile: int = 0
    probe: int = field(default=0, metadata={"alone": 64})
    assembled_output: Path | None = None
    assembled_precision: str = "single"


@dataclass(frozen=True, kw_only=True)
class CheckpointPlan:
    """Checkpoints and resume.

    Attributes:
        resume: resume from the end of an epoch, such as 40; from the newest good checkpoint, or start fresh if there is
            none ("auto"); from the "best" checkpoint; or from a checkpoint file or another run directory. Everything
            that no flag sets is taken from the plan of that run.
        checkpoint_every_epochs: epochs between checkpoints; 0 disables them.
        checkpoint_every_min: minutes between checkpoints within an epoch; 0 disables them.
        keep_last: number of newest checkpoints to keep.
        keep_best: number of best checkpoints to keep, judged by `monitor`.
        keep_every_epochs: keep every checkpoint at a multiple of this many epochs for good; 0 disables it.
        checkpoint_copies: folder for models of their own, model_checkpoint_EPOCH.keras and, of the same contents, .pt;
            all of them stay.
        copy_every_epochs: epochs between two of them.
    """

    resume: str | None = None
    checkpoint_every_epochs: int = 1
    checkpoint_every_min: float = 15.0
    keep_last: int = 2
    keep_best: int = 1
    keep_every_epochs: int = 10
    checkpoint_copies: Path | None = None
    copy_every_epochs: int = 1


@dataclass(frozen=True, kw_only=True)
class ParallelPlan:
    """Parallel training.

    Attributes:
        parallel: how ranks work together. "sync" averages gradients in every step; "balanced" does the same with shares
            of the global batch in proportion to each rank's speed; "local" averages weights after `sync_every` steps of
            each rank; "async" has a server and workers that come and go, on Ray.
        shares: samples of a global batch for each rank, such as 20,20,20,4, which stay; with parallel=balanced.
        sync_every: steps that each rank takes alone between two averages; with parallel=local.
        steps_by_speed: let slower ranks take fewer steps between two averages, so that nobody waits; with
            parallel=local.
        outer_optimizer: what an average does to the weights: "average" takes it, "nesterov" takes the mean change as a
            gradient; with parallel=local.
        outer_learning_rate: learning rate of outer_optimizer="nesterov".
        outer_momentum: momentum of outer_optimizer="nesterov".
        workers: workers to start on this machine; 0: as many as its cores and GPUs serve; with parallel=async.
        min_workers: workers to wait for before the first step; with parallel=async.
        max_staleness: updates after which a gradient is too old to be applied; by default twice the number of workers;
            0 takes one gradient at a time; with parallel=async.
        staleness_scaling: weight of an old gradient: "inverse" divides it by its age plus one, "none" leaves it; with
            parallel=async.
        lease_timeout_s: seconds after which samples that a worker has not returned are given to another; with
            parallel=async.
        ray_address: address of a running Ray cluster, such as 10.0.0.1:6379; by default one of this machine alone is
            started; with parallel=async.
        remat: smallest size in MiB of a layer's output that is computed again in the backward pass and not kept: less
            memory, more time; 0 keeps all, the flag alone takes 1.
        partition: number of ranks that hold consecutive layers of one model, such as layers:2; "none": each rank holds
            the whole model.
        partition_at: names of the layers that begin each part after the first, as --layer-table prints them; by default
            parts of about the same memory.
        micro_batches: parts of each rank's batch that pass through the layers one after another; with `partition`.
    """

    parallel: str = "sync"
    shares: tuple[int, ...] = ()
    sync_every: int = 1
    steps_by_speed: bool = False
    outer_optimizer: str = "average"
    outer_learning_rate: float = 0.7
    outer_momentum: float = 0.9
    workers: int = 0
    min_workers: int = 1
    max_staleness: int | None = None
    staleness_scaling: str = "inverse"
    lease_timeout_s: float = 60.0
    ray_address: str | None = None
    remat: float = field(default=0.0, metadata={"alone": 1.0})
    partition: str = "none"
    partition_at: tuple[str, ...] = ()
    micro_batches: int = 1


@dataclass(frozen=True, kw_only=True)
class PlanFields(
    AdversarialPlan, CheckpointPlan, ParallelPlan, OptimizerPlan, ModelPlan, DataPlan, RunPlan
):
    """All of them."""


SECTIONS = (RunPlan, DataPlan, ModelPlan, OptimizerPlan, ParallelPlan, CheckpointPlan)


def has_validation(plan: PlanFields) -> bool:
    """Return whether samples are held out of training."""
    return plan.validation_part > 0 or plan.validation_data is not None or plan.fold is not None
