"""A backend of PostgreSQL loads few modules of ddl to score pictures, and no training code."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests.scoring.exported import bright_model, label_model

MOST_MODULES = 38

PROGRAM = """
import io, json, pathlib, sys
import numpy as np
from PIL import Image
from ddl.scoring import server

def picture(form, channels):
    file = io.BytesIO()
    pixels = np.full((40, 30, channels), 255, np.uint8)
    Image.fromarray(pixels.squeeze()).save(file, form)
    return file.getvalue()

kept, limits = {}, server.Limits()
for name in ("bright", "shade"):
    path = pathlib.Path(sys.argv[1], name + ".xml")
    parts = path.read_bytes(), path.with_suffix(".bin").read_bytes()
    how = path.with_suffix(".preprocessing.json").read_text()
    server.load(kept, server.digest(*parts, how), *parts, how)
masks, labels = kept["ddl.models"].values()
forms = ("PNG", "JPEG", "TIFF", "GIF")
found = {
    "masks": [masks.segment(picture(form, 3), 0.5, limits)[:4].hex() for form in forms],
    "labels": [labels.classify(picture(form, 1), limits)[0] for form in forms],
    "modules": sorted(name for name in sys.modules if name.partition(".")[0] == "ddl"),
    "others": sorted({"tensorflow", "keras", "horovod", "mpi4py", "h5py"} & set(sys.modules)),
}
print(json.dumps(found))
"""


def test_scoring_loads_few_modules_and_no_training_code(tmp_path: Path) -> None:
    bright_model(tmp_path)
    label_model(tmp_path)
    result = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(tmp_path)],
        capture_output=True,
        text=True,
        check=True,
        timeout=100,
    )
    found = json.loads(result.stdout.splitlines()[-1])
    assert found["masks"] == [b"\x89PNG".hex()] * 4
    assert found["labels"] == ["bright"] * 4
    assert found["others"] == []
    assert len(found["modules"]) <= MOST_MODULES, "\n".join(found["modules"])
    rooms = {name.split(".")[1] for name in found["modules"] if "." in name}
    assert not rooms & {"training", "distributed", "models", "export"}
