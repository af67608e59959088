"""A trial's plan, as our own training scripts have it, and its samples. No TensorFlow here."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ddl.benchmark.samples import make_samples, write_samples
from ddl.benchmark.trial import Trial, classes_of
from ddl.data.source import Subset
from ddl.data.sources import PICTURE_FILES, detect_format
from ddl.data.sources.arrays import Arrays
from ddl.models.zoo import target_of
from ddl.training.data import TrainingData, as_samples, open_data
from ddl.training.plan import Plan

LOSSES = {"mask": "dice_crossentropy", "label": "categorical_crossentropy"}
METRICS = {"mask": "dice", "label": "top_1"}


def stored(trial: Trial, folder: Path) -> str:
    """Return what `--data` would be, after its samples were written into a folder where they are to be in files."""
    if trial.data is not None:
        return trial.data
    return "synthetic" if trial.storage == "memory" else write_samples(trial, folder)


def plan_of(trial: Trial, folder: Path, data: str) -> Plan:
    """Return the plan of our own training scripts for a trial."""
    target = target_of(trial.model)
    is_sized = trial.data is not None and detect_format(Path(data)) in PICTURE_FILES
    return Plan(
        run_dir=folder / "run",
        data=data,
        data_option=trial.data_option,
        image_size=(trial.image_size, trial.image_size) if is_sized else None,
        # A part that is held back would make epochs shorter than those of samples in memory.
        validation_data=None if data == "synthetic" else data,
        model=trial.model,
        model_option=trial.model_option,
        loss=LOSSES[target],
        metric=(METRICS[target],),
        epochs=trial.epochs,
        per_rank_batch_size=trial.per_rank_batch_size,
        mixed_precision=trial.mixed_precision,
        compression=trial.compression,
        cache="memory" if trial.storage == "memory" else "none",
        augment=trial.augment,
        steps_per_execution=trial.steps_per_execution,
        checkpoint_every_epochs=int(trial.checkpoints),
        checkpoint_every_min=0,
        keep_every_epochs=0,
        profile=trial.profile,
        seed=trial.seed,
    )


def data_of(trial: Trial, plan: Plan) -> TrainingData:
    """Return as many samples as the trial's epochs have, for the training and to be looked at."""
    if trial.data is None and trial.storage == "memory":
        images, targets = make_samples(trial)
        target, classes = target_of(trial.model), classes_of(trial)
        source = Arrays({"image": images, target: targets}, "the benchmark's samples")
        training = as_samples(source, plan, classes)
    else:
        opened = open_data(plan)
        rows = np.arange(trial.samples) % len(opened.training)
        training, classes = Subset(opened.training, rows), opened.classes
    return TrainingData(training, training, classes)
