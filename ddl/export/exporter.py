"""Export a model into a temporary folder, compare it with Keras, and move it into place if it is close enough."""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import importlib
import os
from collections.abc import Iterator
from pathlib import Path

from ddl.data.pictures.conversion import to_levels, unit_range
from ddl.data.preprocessing import Preprocessing
from ddl.export.box_parity import Decoded
from ddl.export.export import Export
from ddl.export.export_files import move_into_place
from ddl.export.formats.calibration import Calibration
from ddl.export.formats.format_table import FORMATS
from ddl.export.formats.quiet_converters import silenced
from ddl.export.keras_model import exportable, folded, input_dtype
from ddl.export.parity import Parity, compare
from ddl.export.reference_pictures import Sample, Samples
from ddl.export.scratch import scratch_folder
from ddl.files import is_full
from ddl.inference.backends.keras_backend import KerasPredictor, set_threads
from ddl.inference.backends.normalized import normalizing
from ddl.inference.backends.predictor import Predictor, open_predictor
from ddl.inference.trained_model import TrainedModel, model_files, preprocessing_path
from ddl.progress import Progress
from ddl.training.checkpoint.transfer import load_model


@dataclasses.dataclass(frozen=True)
class Exported:
    """Result of an export: its comparison with Keras, and the sizes of the Keras file and of the export's files."""

    parity: Parity
    bytes_before: int
    bytes_after: int


def export_model(
    export: Export, model: TrainedModel, checks: Samples, calibration: Samples | None
) -> Exported:
    """Export a model, and compare it with Keras on the samples `checks`. Only int8 needs `calibration`.

    Raises:
        ValueError: the model cannot be loaded or exported, or the export deviates too much. No file is left behind.
    """
    if export.threads:
        set_threads(export.threads)
    how = export.preprocessing(model)
    # TensorFlow Lite cannot convert a detector's joined levels of unknown sides.
    opens_sides = not (how.target == "boxes" and export.format == "tflite")
    keras_model = exportable(load_model(model.file), opens_sides=opens_sides)
    with scratch_folder(export.output.parent) as scratch, _naming_full_disk(scratch):
        file = scratch / export.output.name
        exported = folded(keras_model, how) if how.folded else keras_model
        with silenced() as stream:
            form = importlib.import_module(FORMATS[str(export.format)].module)
            leaves = None if how.folded else how.normalization
            inputs = Calibration(calibration, input_dtype(how), stream, leaves)
            form.write(exported, file, export.precision, inputs)
        preprocessing_path(file).write_text(how.to_json(), encoding="utf-8")
        samples = _rounded_samples(checks, how)
        original = normalizing(KerasPredictor(keras_model), model.preprocessing)
        parity = _check_parity(export, original, file, samples, how)
        size = sum(path.stat().st_size for path in model_files(file))
        move_into_place(file, export.output)
    return Exported(parity, model.file.stat().st_size, size)


@contextlib.contextmanager
def _naming_full_disk(folder: Path) -> Iterator[None]:
    """Turn a converter's own error into the disk's, if the disk is full: each converter has other errors for it."""
    try:
        yield
    except OSError:
        raise
    except Exception as error:
        if is_full(folder):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(folder)) from error
        raise


def _check_parity(
    export: Export,
    original: Predictor,
    file: Path,
    samples: Iterator[Sample],
    how: Preprocessing,
) -> Parity:
    """Compare the export with Keras, and refuse it if the deviation exceeds the tolerance."""
    with silenced():
        exported = normalizing(open_predictor(file, threads=export.threads), how)
    with contextlib.closing(exported):
        pair = original, exported
        if how.target == "boxes":
            pair = Decoded(original, how.box_layout), Decoded(exported, how.box_layout)
        parity = compare(samples, *pair, how.target)
    if not parity.deviation(export.precision) <= export.allowed:
        what = f"loss in {parity.score}" if export.precision == "int8" else "largest difference"
        raise ValueError(
            f"Received: an export in {export.precision} that is too far from Keras: {parity.line()}. Expected: "
            f"{what} of at most {export.allowed:g} (--tolerance); no file was written."
        )
    return parity


def _rounded_samples(samples: Samples, how: Preprocessing) -> Iterator[Sample]:
    """Yield samples rounded to the model's input dtype, so that Keras and a uint8 export see the same values."""
    dtype = input_dtype(how)
    with contextlib.closing(Progress("pictures compared", len(samples))) as progress:
        for number, sample in enumerate(samples):
            picture = unit_range(to_levels(sample.picture, dtype))
            yield dataclasses.replace(sample, picture=picture)
            progress.show(number + 1)
