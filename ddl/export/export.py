"""Settings of scripts/export.py. No TensorFlow here."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path

from ddl.data.preprocessing import Preprocessing
from ddl.export.formats.format_table import find_format
from ddl.files import check_file
from ddl.inference.trained_model import TrainedModel, model_files
from ddl.options import convert_fields
from ddl.ranges import Range, check_choices, check_ranges

PRECISIONS = ("f32", "f16", "int8")
TOLERANCES = {"f32": 1e-4, "f16": 0.02, "int8": 0.005}
"""Default tolerances: the largest difference of a probability; for int8, the loss in Dice or accuracy."""
_RANGES = {
    "calibration_samples": Range(1),
    "check_samples": Range(1),
    "tolerance": Range(0),
    "threads": Range(0, 1024),
}


@dataclass(frozen=True)
class Export:
    """Export.

    Attributes:
        model: run directory, checkpoint, or Keras file with NAME.preprocessing.json in the same folder.
        output: NAME.xml (OpenVINO, with NAME.bin), NAME.savedmodel, NAME.onnx or NAME.tflite; must not exist yet.
        format: "openvino", "savedmodel", "onnx" or "tflite"; chosen by the suffix of the output if not given.
        precision: "f32", "f16" (weights only) or "int8" (weights and computation).
        checkpoint: checkpoint of a run directory: "final" (model.keras), "best", "auto" (the newest) or an epoch
            number.
        fold_preprocessing: move the scaling of pixels into the model: it takes 0 to 255 (65535) instead of 0 to 1.
        calibration_data: pictures or data set for int8 calibration; the run's training split if not given.
        calibration_samples: maximum number of calibration samples.
        check_data: pictures or data set for the comparison with Keras; the run's validation split if not given.
        check_samples: maximum number of samples to compare.
        tolerance: largest accepted deviation from Keras. For f32 and f16, the largest difference of a probability
            (0.0001 and 0.02 if not given); for int8, the loss in Dice or accuracy (0.005 if not given).
        threads: compute threads for the comparison; 0 uses all cores.
    """

    model: Path
    output: Path
    format: str | None = None
    precision: str = "f32"
    checkpoint: str = "final"
    fold_preprocessing: bool = False
    calibration_data: Path | None = None
    calibration_samples: int = 300
    check_data: Path | None = None
    check_samples: int = 200
    tolerance: float | None = None
    threads: int = 0

    def __post_init__(self) -> None:
        """Convert the fields to their types, choose the format, and check the combination."""
        convert_fields(self)
        check_choices(vars(self), {"precision": PRECISIONS})
        check_ranges(vars(self), _RANGES, "export")
        name = find_format(self.output, self.format, self.precision)
        object.__setattr__(self, "format", name)
        given = self.calibration_samples != Export.calibration_samples
        if self.precision != "int8" and (self.calibration_data is not None or given):
            raise ValueError(
                f"Received: calibration for precision={self.precision}. Expected: no calibration flags; only int8 "
                "uses them."
            )
        check_file("output", self.output, parts=model_files(self.output))

    @property
    def allowed(self) -> float:
        """The given tolerance, or the default of this precision."""
        return TOLERANCES[self.precision] if self.tolerance is None else self.tolerance

    def preprocessing(self, model: TrainedModel) -> Preprocessing:
        """Return the preprocessing to save with the export."""
        return dataclasses.replace(model.preprocessing, folded=self.fold_preprocessing)
