"""Take one step of a model at its own size, save it, and load it in plain Keras without this package.

python -m tests.models.zoo_step NAME FOLDER
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from ddl.models.listing import own_size
from ddl.models.zoo import build_model, target_of

MOST_WEIGHTS = 150_000_000
"""Networks with more are only built and counted."""

_PLAIN = """
import sys, numpy as np
sys.modules["ddl"] = None  # importing it is an error
import keras
model = keras.models.load_model(sys.argv[1] + "/model.keras")
pictures = np.load(sys.argv[1] + "/pictures.npy")
np.save(sys.argv[1] + "/after.npy", model(pictures, training=False))
"""


def main(name: str, folder: Path) -> None:
    """Print one line on the step; the exit status is that of a failed assertion if anything differs."""
    import keras

    shape, classes = own_size(name)
    model = build_model(name, shape, classes)
    if model.count_params() > MOST_WEIGHTS:
        print(f"{name}: built and counted, {model.count_params():,} parameters")
        return
    pictures = np.random.default_rng(0).random((2, *shape), dtype=np.float32)
    targets = np.arange(2) % classes if target_of(name) == "label" else np.round(pictures[..., :1])
    loss = "sparse_categorical_crossentropy" if classes > 1 else "binary_crossentropy"
    model.compile(keras.optimizers.SGD(1e-3), loss, jit_compile=False)
    before, started = model.trainable_weights[-1].numpy(), time.monotonic()
    value = float(model.train_on_batch(pictures, targets))
    seconds = time.monotonic() - started
    if not np.isfinite(value) or np.array_equal(before, model.trainable_weights[-1].numpy()):
        raise AssertionError(f"{name}: the step changes nothing; loss {value}")
    model.save(folder / "model.keras")
    np.save(folder / "pictures.npy", pictures[:1])
    expected = np.asarray(model(pictures[:1], training=False))
    subprocess.run([sys.executable, "-c", _PLAIN, str(folder)], check=True, cwd=folder)
    if not np.allclose(np.load(folder / "after.npy"), expected, atol=1e-5):
        raise AssertionError(f"{name}: the loaded model predicts something else")
    print(f"{name}: one step {seconds:.1f} s with its tracing, saved and loaded in plain Keras")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
