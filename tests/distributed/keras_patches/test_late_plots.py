"""Keras loads without Matplotlib, and its two functions that draw still do."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

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
how = {"rows": 2, "cols": 2, "value_range": (0, 255)}
keras.visualization.plot_image_gallery(pictures, path=sys.argv[1], **how)
keras.visualization.plot_bounding_box_gallery(pictures, "xyxy", legend=True, path=sys.argv[2], **how)
"""


def test_keras_starts_without_matplotlib_and_still_draws(tmp_path: Path) -> None:
    paths = [tmp_path / "gallery.png", tmp_path / "boxes.png"]
    command = [sys.executable, "-c", DRAW, *paths]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert [path.read_bytes()[:4] for path in paths] == [b"\x89PNG"] * 2
