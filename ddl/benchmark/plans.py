"""The plan and the samples of a trial: the samples come from a seed, or from a user's data. Imports no TensorFlow."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ddl.benchmark.trial import Trial
from ddl.data.batches.sample_cache import MOST, cached, fits
from ddl.data.pictures.synthetic_picture import microscope_picture
from ddl.data.source import Source, Subset
from ddl.data.sources import SIZED, detect_format
from ddl.data.sources.arrays import Arrays
from ddl.data.sources.synthetic import Synthetic
from ddl.data.sources.synthetic_boxes import SyntheticBoxes
from ddl.distributed.job.launcher import placement
from ddl.models.zoo import target_of
from ddl.training.data.parts import open_part
from ddl.training.data.training_data import (
    TrainingData,
    as_samples,
    classes_of,
    open_data,
)
from ddl.training.plan.boxes import loss_of_boxes
from ddl.training.plan.plan import Plan

SCENE_CELLS = 6
LOSSES = {"mask": "dice_crossentropy", "label": "categorical_crossentropy"}
METRICS = {"mask": ("dice",), "label": ("top_1",), "boxes": ()}
"""A step of a detector has no metric; its average precision belongs to validations."""
_DIFFERENT_PICTURES = 64
"""More would take minutes to make."""


def stored(trial: Trial, folder: Path) -> str:
    """Return the value of `--data` for a trial; samples that belong in files are written into the folder first."""
    if trial.data is not None:
        return trial.data
    if trial.storage == "memory":
        return "synthetic"
    write = _write_hdf5 if trial.storage == "hdf5" else _write_png
    return write(*make_samples(trial), folder)


def plan_of(trial: Trial, folder: Path, data: str) -> Plan:
    """Return the plan of a trial."""
    target = target_of(trial.model, trial.model_option)
    is_grey = trial.storage == "png" and trial.channels == 1
    return Plan(
        run_dir=folder / "run",
        data=data,
        data_option={"channels": "grey"} if is_grey else trial.data_option,
        image_size=(trial.image_size, trial.image_size) if is_sized(trial.data) else None,
        # A validation split would make epochs shorter than those of samples in memory.
        validation_data=None if data == "synthetic" else data,
        model=trial.model,
        model_option=trial.model_option,
        loss=loss_of_boxes(trial.model) if target == "boxes" else LOSSES[target],
        metric=METRICS[target],
        epochs=trial.epochs,
        per_rank_batch_size=trial.per_rank_batch_size,
        mixed_precision=trial.mixed_precision,
        compression=trial.compression,
        jit=trial.jit,
        cache="none",  # `data_of` keeps samples in memory
        augment=trial.augment,
        checkpoint_every_epochs=int(trial.checkpoints),
        checkpoint_every_min=0,
        keep_every_epochs=0,
        profile=trial.profile,
        seed=trial.seed,
    )


def is_sized(data: str | None) -> bool:
    """Return whether the plan sets the image size of these data."""
    return data is not None and detect_format(Path(data)) in SIZED


def data_of(trial: Trial, plan: Plan) -> TrainingData:
    """Return as many samples as the trial's epochs have, for training and validation."""
    if trial.data is None and trial.storage == "memory":
        images, targets = make_samples(trial)
        fields = {"image": images, target_of(trial.model, trial.model_option): targets}
        taken: Source = Arrays(fields, "the benchmark's samples")
        classes = trial.model_classes
    else:
        source = open_part(plan, "all")
        classes = classes_of(source, plan)
        policy = "memory" if trial.storage == "memory" else "none"
        taken = cached(_taken(trial, source), policy, local_ranks=placement().local_size)
    if len(taken) < trial.samples:
        taken = Subset(taken, np.arange(trial.samples) % len(taken))
    training = as_samples(taken, plan, classes, trains=True)
    validation = training if plan.evaluation_crop == 1 else as_samples(taken, plan, classes)
    return TrainingData(training, validation, classes)


def check_data(trial: Trial, ranks: int) -> bool:
    """Return whether this machine's memory holds a user's data for so many ranks.

    Raises:
        ValueError: the data cannot be trained on.
    """
    plan = plan_of(trial, Path(), str(trial.data))
    count = len(open_data(plan).training)
    if count < ranks:
        raise ValueError(
            f"Received: {count} training samples in {trial.data} for {ranks} ranks. Expected: one for each rank at "
            "least; measure fewer ranks."
        )
    return fits(_taken(trial, open_part(plan, "all")), MOST, local_ranks=ranks)


def _taken(trial: Trial, source: Source) -> Source:
    """Return the distinct samples that a trial takes of a source."""
    return Subset(source, np.arange(min(trial.samples, len(source))))


def make_samples(trial: Trial) -> tuple[np.ndarray, np.ndarray]:
    """Return images (uint8) and their masks (uint8), labels (int64) or boxes, the same for every setup."""
    if target_of(trial.model, trial.model_option) == "boxes":
        return _scenes(trial)
    if target_of(trial.model, trial.model_option) == "mask":
        return _pictures(trial)
    rng = np.random.default_rng(trial.seed)
    classes = trial.model_classes
    labels = rng.integers(0, classes, trial.samples)
    shape = (trial.image_size, trial.image_size, trial.channels)
    patterns = rng.random((classes, *shape), dtype=np.float32)
    images = np.empty((trial.samples, *shape), np.uint8)
    for first in range(0, trial.samples, 4096):  # noise makes learning take a while
        part = labels[first : first + 4096]
        noise = rng.normal(0, 1.0, (len(part), *shape)).astype(np.float32)
        images[first : first + 4096] = np.clip((patterns[part] * 0.5 + noise * 0.3) * 255, 0, 255)
    return images, labels


def _scenes(trial: Trial) -> tuple[np.ndarray, np.ndarray]:
    count, sides = min(trial.samples, _DIFFERENT_PICTURES), (trial.image_size, trial.image_size)
    own = {"channels": trial.channels, "classes": trial.model_classes, "objects": SCENE_CELLS}
    made = SyntheticBoxes(count, sides, seed=trial.seed, **own).read(range(count))
    rows = np.arange(trial.samples) % count
    return made["image"][rows], made["boxes"][rows]


def _pictures(trial: Trial) -> tuple[np.ndarray, np.ndarray]:
    count = min(trial.samples, _DIFFERENT_PICTURES)
    made = Synthetic(microscope_picture, count, trial.image_size, trial.seed).read(range(count))
    rows = np.arange(trial.samples) % count
    return (made["image"][rows] * 255).astype(np.uint8), made["mask"][rows].astype(np.uint8)


def _write_hdf5(images: np.ndarray, targets: np.ndarray, folder: Path) -> str:
    import h5py

    path = folder / "samples.h5"
    with h5py.File(path, "w") as file:
        name = "masks" if targets.ndim > 1 else "labels"
        for key, values in (("images", images), (name, targets)):
            file.create_dataset(key, data=values, chunks=(1, *values.shape[1:]))
    return str(path)


def _write_png(images: np.ndarray, targets: np.ndarray, folder: Path) -> str:
    """Write images and masks in two folders, or images in one folder per label."""
    from skimage.io import imsave

    has_masks = targets.ndim > 1
    names = ("images", "masks") if has_masks else [f"class_{label:03d}" for label in set(targets)]
    for name in names:
        (folder / name).mkdir()
    for index, (image, target) in enumerate(zip(images, targets, strict=True)):
        place = "images" if has_masks else f"class_{target:03d}"
        pictures = {place: image[..., 0] if image.shape[-1] == 1 else image}
        if has_masks:
            pictures["masks"] = target[..., 0] * 255
        for name, picture in pictures.items():
            imsave(folder / name / f"{index:05d}.png", picture, check_contrast=False)
    return str(folder)
