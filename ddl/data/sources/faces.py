"""Real grey pictures from scikit-image, to train a classifier without a download: 100 faces and 100 others."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ddl.data.sources.arrays import Arrays


class Faces(Arrays):
    """The 200 pictures of scikit-image's `lfw_subset`, from "Labeled Faces in the Wild": label 1 is a face."""

    class_names = ("other", "face")

    def __init__(self) -> None:
        """Load them: 1 MB."""
        from skimage.data import lfw_subset

        pictures = lfw_subset().astype(np.float32)[..., None]
        labels = np.repeat(np.array([1, 0], np.int64), 100)  # the first hundred are the faces
        super().__init__({"image": pictures, "label": labels}, "faces")


def detect(path: Path) -> bool:
    """Return whether the path is "faces". An existing file or folder of that name takes precedence."""
    return str(path) == "faces" and not path.exists()


def open_source(path: Path) -> Faces:
    """Open the pictures, 25 x 25 pixels, floats from 0 to 1."""
    return Faces()
