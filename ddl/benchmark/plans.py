"""A trial's plan, as our own training scripts have it, and its samples. No TensorFlow here."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ddl.benchmark.samples import make_samples, write_samples
from ddl.benchmark.trial import Trial
from ddl.data.cache import MOST, cached, fits
from ddl.data.source import Source, Subset
from ddl.data.sources import SIZED, detect_format
from ddl.data.sources.arrays import Arrays
from ddl.distributed.launcher import placement
from ddl.models.zoo import target_of
from ddl.training.data import TrainingData, as_samples, classes_of, open_data, open_part
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
    is_grey = trial.storage == "png" and trial.channels == 1
    return Plan(
        run_dir=folder / "run",
        data=data,
        data_option={"channels": "grey"} if is_grey else trial.data_option,
        image_size=(trial.image_size, trial.image_size) if is_sized(trial.data) else None,
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
        cache="none",  # what is kept in memory, `data_of` keeps
        augment=trial.augment,
        steps_per_execution=trial.steps_per_execution,
        checkpoint_every_epochs=int(trial.checkpoints),
        checkpoint_every_min=0,
        keep_every_epochs=0,
        profile=trial.profile,
        seed=trial.seed,
    )


def is_sized(data: str | None) -> bool:
    """Return whether a plan says how large the pictures of these data are."""
    return data is not None and detect_format(Path(data)) in SIZED


def data_of(trial: Trial, plan: Plan) -> TrainingData:
    """Return as many samples as the trial's epochs have, for the training and to be looked at."""
    if trial.data is None and trial.storage == "memory":
        images, targets = make_samples(trial)
        fields = {"image": images, target_of(trial.model): targets}
        taken: Source = Arrays(fields, "the benchmark's samples")
        classes = trial.model_classes
    else:
        source = open_part(plan, "all")
        classes = classes_of(source, plan)
        policy = "memory" if trial.storage == "memory" else "none"
        taken = cached(_taken(trial, source), policy, local_ranks=placement().local_size)
    if len(taken) < trial.samples:
        taken = Subset(taken, np.arange(trial.samples) % len(taken))
    training = as_samples(taken, plan, classes)
    return TrainingData(training, training, classes)


def check_data(trial: Trial, ranks: int) -> bool:
    """Return whether so many ranks can keep a trial's own data in the memory of this machine.

    Raises:
        ValueError: the data cannot be trained on.
    """
    plan = plan_of(trial, Path(), str(trial.data))
    found = len(open_data(plan).training)
    if found < ranks:
        raise ValueError(
            f"Received: {found} training samples in {trial.data} for {ranks} ranks. Expected: one for each rank at "
            "least; measure fewer ranks."
        )
    return fits(_taken(trial, open_part(plan, "all")), MOST, local_ranks=ranks)


def _taken(trial: Trial, source: Source) -> Source:
    """Return the different samples that a trial takes of a source."""
    return Subset(source, np.arange(min(trial.samples, len(source))))
