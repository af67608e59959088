"""A run goes on without an output that cannot be written; an inference, which is run for it, does not end well."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from ddl.data.sources.arrays import Arrays
from ddl.training.outputs.run_outputs import RunOutputs
from ddl.training.stops import Unsaved


def unwritten(folder: Path, epochs: int) -> RunOutputs:
    """Return the outputs of a run whose folder of predictions is a file by now."""
    (folder / "taken").write_text("")
    plan = SimpleNamespace(
        epochs=epochs,
        prediction_output=folder / "taken",
        assembled_output=None,
        epoch_log=None,
        predicts="mask",
        metric=(),
    )
    run: Any = SimpleNamespace(plan=plan, position=SimpleNamespace(epoch=0))
    samples = Arrays({"image": np.zeros((2, 4, 4, 1), np.float32)}, "test")
    outputs = RunOutputs(run, samples)
    with outputs.predictions() as writers:
        writers.write([(np.arange(2), np.zeros((2, 3), np.float32))])
        writers.finish()
    return outputs


def test_an_inference_without_its_outputs_fails(tmp_path: Path) -> None:
    with pytest.raises(Unsaved, match=r"^Could not write .*taken/output_1\.h5: .*start again\.$"):
        unwritten(tmp_path, epochs=0).check_written()


def test_training_goes_on_without_them(tmp_path: Path) -> None:
    unwritten(tmp_path, epochs=3).check_written()
