"""The samples of a benchmark: made from a seed, in memory or in files, the same for all ways to train."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ddl.benchmark.trial import Trial
from ddl.data.synthetic import microscope_picture
from ddl.models.zoo import target_of

_DIFFERENT = 64  # pictures that are made; more would cost minutes


def make_samples(trial: Trial) -> tuple[np.ndarray, np.ndarray]:
    """Return pictures, uint8, and their masks (uint8) or labels (int64)."""
    if target_of(trial.model) == "mask":
        return _pictures(trial)
    rng = np.random.default_rng(trial.seed)
    labels = rng.integers(0, trial.classes, trial.samples)
    shape = (trial.image_size, trial.image_size, trial.channels)
    patterns = rng.random((trial.classes, *shape), dtype=np.float32)
    images = np.empty((trial.samples, *shape), np.uint8)
    for first in range(0, trial.samples, 4096):  # noise, so that it takes a while to learn
        part = labels[first : first + 4096]
        noise = rng.normal(0, 1.0, (len(part), *shape)).astype(np.float32)
        images[first : first + 4096] = np.clip((patterns[part] * 0.5 + noise * 0.3) * 255, 0, 255)
    return images, labels


def _pictures(trial: Trial) -> tuple[np.ndarray, np.ndarray]:
    made = [
        microscope_picture(index, trial.image_size, trial.seed)
        for index in range(min(trial.samples, _DIFFERENT))
    ]
    rows = np.arange(trial.samples) % len(made)
    images = np.stack([image for image, _ in made])[rows]
    masks = np.stack([mask for _, mask in made])[rows]
    return (images * 255).astype(np.uint8), masks.astype(np.uint8)


def write_samples(trial: Trial, folder: Path) -> str:
    """Write the samples as the trial's storage has them, and return what `--data` would be."""
    images, targets = make_samples(trial)
    if trial.storage == "hdf5":
        return _write_hdf5(images, targets, folder / "samples.h5")
    return _write_png(images, targets, folder)


def _write_hdf5(images: np.ndarray, targets: np.ndarray, path: Path) -> str:
    import h5py

    with h5py.File(path, "w") as file:
        name = "masks" if targets.ndim > 1 else "labels"
        for key, values in (("images", images), (name, targets)):
            file.create_dataset(key, data=values, chunks=(1, *values.shape[1:]))
    return str(path)


def _write_png(images: np.ndarray, targets: np.ndarray, folder: Path) -> str:
    """Write pictures beside their masks, or in a folder for each label."""
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
