"""Keras loads without Matplotlib, and its two functions that draw still do."""

from __future__ import annotations

import subprocess
import sys

DRAW = """
import sys
from ddl.distributed.job.quiet import loading_tensorflow
with loading_tensorflow():
    import keras
assert "matplotlib" not in sys.modules, "it was loaded"
import numpy as np
import matplotlib
matplotlib.use("agg")
pictures = np.zeros((4, 8, 8, 3), np.uint8)
keras.visualization.plot_image_gallery(pictures, rows=2, cols=2, value_range=(0, 255))
keras.visualization.plot_bounding_box_gallery(
    pictures, "xyxy", legend=True, rows=2, cols=2, value_range=(0, 255)
)
from matplotlib import pyplot
print(len(pyplot.get_fignums()))
"""


def test_keras_starts_without_matplotlib_and_still_draws() -> None:
    done = subprocess.run(
        [sys.executable, "-c", DRAW], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) >= 1
