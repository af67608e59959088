"""Whether a saved model loads where this package does not exist, and still says the same."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import keras
import numpy as np

_PROGRAM = """
import sys
import keras
import numpy as np
model = keras.models.load_model("model.keras")
np.save("after.npy", model(np.load("images.npy"), training=False))
assert not [name for name in sys.modules if name.split(".")[0] == "ddl"]
"""


def loads_in_plain_keras(model: keras.Model, folder: Path) -> None:
    """Save the model, load it in a new process that cannot import this package, and compare predictions."""
    images = np.random.default_rng(0).random((2, *model.input_shape[1:]), dtype=np.float32)
    np.save(folder / "images.npy", images)
    model.save(folder / "model.keras")
    done = subprocess.run(
        [sys.executable, "-I", "-c", _PROGRAM],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    after = np.load(folder / "after.npy")
    assert np.allclose(after, model(images, training=False), atol=1e-5)
