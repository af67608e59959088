"""What to evaluate, checked when it is made. No TensorFlow here."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ddl.data.slicing.assembly import PRECISIONS
from ddl.files import check_file, check_folder
from ddl.options import convert_fields
from ddl.ranges import Range, check_choices, check_ranges
from ddl.training.data.parts import DATA_PARTS
from ddl.training.data.sliced import check_assembled_file
from ddl.training.objectives.metrics import METRICS, check_metric_names
from ddl.training.plan.plan import Plan
from ddl.training.record.run_dir import check_no_run_file


@dataclass(frozen=True)
class Evaluation:
    """What to evaluate.

    Attributes:
        model: a run directory, its model.keras, or a checkpoint.
        checkpoint: in a run directory: "final" (model.keras), "best", "auto" (the newest) or an epoch's number.
        data: data of the same kind to use in place of the training data.
        target_data: their targets, where these are not inside it.
        part: "train", "validation", "test" or "all"; by default validation, of a run without it all, and all of other
            data.
        metric: metrics to compute, separated by spaces; by default those of the training run.
        per_rank_batch_size: samples per rank and step; affects only speed and memory.
        output: a .json file for the results, in addition to the screen.
        prediction_output: folder for the raw predictions, in output_1.h5, with a data set for each sample, channels
            first; the data then need no targets.
        slicer: sets of slices to cut the data into, in place of those of the training run; none for data that are
            samples.
        assembled_output: HDF5 file for the predictions of all slices, put together, channels last; the data then need
            no targets.
        assembled_precision: its type: "single" (float32) or "half" (float16).
    """

    model: Path
    checkpoint: str = "final"
    data: str | None = None
    target_data: str | None = None
    part: str | None = None
    metric: tuple[str, ...] = ()
    per_rank_batch_size: int = 8
    output: Path | None = None
    prediction_output: Path | None = None
    slicer: tuple[str, ...] | None = None
    assembled_output: Path | None = None
    assembled_precision: str = "single"

    def __post_init__(self) -> None:
        convert_fields(self)
        check_choices(vars(self), {"part": DATA_PARTS, "assembled_precision": PRECISIONS})
        check_ranges(vars(self), {"per_rank_batch_size": Range(1)}, "evaluation")
        if self.assembled_precision != "single" and self.assembled_output is None:
            raise ValueError(
                f"Received: assembled_precision={self.assembled_precision} without assembled_output. Expected: both."
            )
        check_metric_names(self.metric)
        check_file("output", self.output, (".json",), replaces=True)
        check_no_run_file("output", self.output)
        if self.prediction_output is not None:
            check_folder("prediction_output", self.prediction_output)
        check_assembled_file("assembled_output", self.assembled_output, vars(self))
        if self.target_data is not None and self.data is None:
            raise ValueError(
                f"Received: target_data={self.target_data} without data. Expected: both."
            )

    @property
    def writes_predictions(self) -> bool:
        """Whether the model's predictions are written. Data then need no targets."""
        return self.prediction_output is not None or self.assembled_output is not None

    def metrics_for(self, plan: Plan) -> tuple[str, ...]:
        """Return the metrics to compute: the requested ones, else those of the training run.

        Raises:
            ValueError: only the script of the training run knows one of them.
        """
        names = self.metric or plan.metric
        for name in names:
            if name not in METRICS:
                raise ValueError(
                    f"Received: a run with metric {name!r}, which only its own script knows. Expected: --metric with "
                    f"some of {', '.join(METRICS)}."
                )
        return names
