"""The model that a run ends with, RUN_DIR/model.keras."""

from __future__ import annotations

from pathlib import Path

import keras

from ddl.files import write_whole
from ddl.training.adversarial.samples.trained_generator import yielded
from ddl.training.stops import Unsaved


def write_final_model(model: keras.Model, run_dir: Path) -> Path:
    """Write the model with its first output and without its optimizer; return the file.

    Raises:
        Unsaved: it cannot be written, for example because the disk is full.
    """
    part = yielded(model)
    final = keras.Model(part.input, part.outputs[0], name=part.name)
    path = run_dir / "model.keras"
    try:
        write_whole(path, lambda partial: final.save(partial))
    except OSError as error:
        raise Unsaved(
            f"Could not write {path}: {error.strerror or error}. The training itself is complete: free some space, and "
            "--resume auto writes the model."
        ) from error
    return path
