"""What is exported, and how, as one frozen value: whatever the flags of scripts/export.py can say.

No TensorFlow here.
"""

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
"""Of the largest difference of a probability; of int8 what Dice or accuracy may lose."""
_RANGES = {
    "calibration_samples": Range(1),
    "check_samples": Range(1),
    "tolerance": Range(0),
    "threads": Range(0, 1024),
}


@dataclass(frozen=True)
class Export:
    """What is exported.

    Attributes:
        model: a run directory, a checkpoint, or a Keras file with NAME.preprocessing.json beside it.
        output: NAME.xml (OpenVINO, with NAME.bin), NAME.savedmodel, NAME.onnx or NAME.tflite; a new one.
        format: "openvino", "savedmodel", "onnx" or "tflite"; without, by the output's name.
        precision: "f32", "f16" (weights alone) or "int8" (weights and computation).
        checkpoint: of a run directory: "final" (model.keras), "best", "auto" (the newest) or an epoch's number.
        fold_preprocessing: let the model itself scale pixels: it takes 0 to 255 (65535) in place of 0 to 1.
        calibration_data: pictures or data that int8 finds its ranges by; without, what the model was trained on.
        calibration_samples: at most so many of them.
        check_data: pictures or data that the export is compared with Keras on; without, the run's validation part.
        check_samples: at most so many of them.
        tolerance: how far the export may be from Keras. Of f32 and f16, the largest difference of a probability
            (without: 0.0001, 0.02); of int8 what Dice or accuracy may lose (0.005).
        threads: that compute the check; 0 takes all cores.
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
        """Give every field its type, find the format, and refuse what no export can be."""
        convert_fields(self)
        check_choices(vars(self), {"precision": PRECISIONS})
        check_ranges(vars(self), _RANGES, "export")
        name = find_format(self.output, self.format, self.precision)
        object.__setattr__(self, "format", name)
        given = self.calibration_samples != Export.calibration_samples
        if self.precision != "int8" and (self.calibration_data is not None or given):
            raise ValueError(
                f"Received: calibration for precision={self.precision}. Expected: none; it is for int8."
            )
        check_file("output", self.output, parts=model_files(self.output))

    @property
    def allowed(self) -> float:
        """The tolerance."""
        return TOLERANCES[self.precision] if self.tolerance is None else self.tolerance

    def preprocessing(self, model: TrainedModel) -> Preprocessing:
        """Return what lies beside the export of a model."""
        return dataclasses.replace(model.preprocessing, folded=self.fold_preprocessing)
