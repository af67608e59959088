"""The commands behind scripts/export.py and scripts/benchmark_inference.py.

Everything is checked before TensorFlow loads, so that bad input fails fast.
"""

from __future__ import annotations

import sys

from ddl.data.summary import tell_summary
from ddl.data.transforms.table import is_resize_to
from ddl.distributed.job.launcher import placement
from ddl.distributed.job.quiet import loading_tensorflow
from ddl.export.export import Export
from ddl.export.reference_pictures import Samples, open_samples
from ddl.export.speed.inference_benchmark import InferenceBenchmark
from ddl.flags import Parser, given_flags
from ddl.inference.backends.optional_packages import check_packages
from ddl.inference.backends.predictor import BACKENDS
from ddl.inference.output_folder import disk_error
from ddl.inference.predict_command import INTERRUPTED
from ddl.inference.trained_model import (
    TrainedModel,
    check_takes_pictures,
    find_model,
    preprocessing_path,
)
from ddl.plain_text import escaped, tell
from ddl.training.train_command import naming_files


def export_from_flags(parser: Parser, argv: list[str] | None) -> int:
    """Run export.py and print the comparison. Return the exit status: 0, 2 for bad input, 130 for Ctrl-C."""
    arguments = vars(parser.parse_args(argv))
    try:
        with naming_files():
            export = Export(**given_flags(arguments))
            model, checks, calibration = check_export(export)
        with loading_tensorflow():
            from ddl.export.exporter import export_model
        exported = export_model(export, model, checks, calibration)
    except ValueError as error:
        return parser.complain(error)
    except OSError as error:
        return parser.complain(disk_error(export.output, error, resumes=False))
    except KeyboardInterrupt:
        sys.stderr.write("\n")
        tell(f"{parser.name}: interrupted; nothing was written.")
        return INTERRUPTED
    tell_summary(parser.name, checks.about)
    print(exported.parity.table(exported.bytes_before, exported.bytes_after))
    print(escaped(f"{export.output}: {export.format} in {export.precision}"))
    return 0


def benchmark_from_flags(parser: Parser, argv: list[str] | None) -> int:
    """Run benchmark_inference.py and print the table. Return the exit status: 0, 2 for bad input, 130 for Ctrl-C."""
    arguments = vars(parser.parse_args(argv))
    try:
        with naming_files():
            benchmark = InferenceBenchmark(**given_flags(arguments))
            model, checks, calibration = check_benchmark(benchmark)
        with loading_tensorflow():
            from ddl.export.speed.measure_speed import measure_variants
        table = measure_variants(benchmark, model, checks, calibration)
        tell_summary(parser.name, checks.about)
        print(table, end="")
    except ValueError as error:
        return parser.complain(error)
    except KeyboardInterrupt:
        sys.stderr.write("\n")
        tell(f"{parser.name}: interrupted.")
        return INTERRUPTED
    return 0


def check_benchmark(benchmark: InferenceBenchmark) -> tuple[TrainedModel, Samples, Samples]:
    """Find the model, the samples for the comparison with Keras, and the calibration samples.

    Raises:
        ValueError: one line that says what is wrong and what to do.
    """
    check_packages(("openvino", "nncf"), "a benchmark of OpenVINO")
    model = find_model(benchmark.model, benchmark.checkpoint)
    check_takes_pictures(model)
    benchmark.check_model(model.preprocessing)
    checks = open_samples(model, "check", None, benchmark.check_samples)
    return model, checks, open_samples(model, "calibration", None, benchmark.calibration_samples)


def check_export(export: Export) -> tuple[TrainedModel, Samples, Samples | None]:
    """Find the model and the samples, and check all that can be checked without TensorFlow.

    Returns:
        The model, the samples for the comparison with Keras, and the calibration samples (int8 only).

    Raises:
        ValueError: one line that says what is wrong and what to do.
    """
    if placement().size > 1:
        raise ValueError(
            f"Received: {placement().size} ranks. Expected: one; an export does not run in parallel."
        )
    model = find_model(export.model, export.checkpoint)
    check_takes_pictures(model)
    if model.file.suffix not in BACKENDS["keras"].suffixes:
        raise ValueError(
            f"Received: {model.file}, which is already an export. Expected: the run or Keras file that it was made "
            "from."
        )
    if export.fold_preprocessing and model.preprocessing.axes == 3:
        raise ValueError(
            "Received: fold_preprocessing for a model of volumes, which are stored as floats. Expected: the command "
            "without this flag."
        )
    _check_prepared(model)
    _check_beside(export, model)
    checks = open_samples(model, "check", export.check_data, export.check_samples)
    if export.precision != "int8":
        return model, checks, None
    data, count = export.calibration_data, export.calibration_samples
    return model, checks, open_samples(model, "calibration", data, count)


def _check_prepared(model: TrainedModel) -> None:
    """Refuse models that the users of an export could not feed or judge alike."""
    how = model.preprocessing
    if how.target == "values":
        raise ValueError(
            f"Received: {model.file}, a model that predicts values. Expected: a model of masks or labels; "
            "scripts/predict.py runs this one."
        )
    left = [text for text in how.transforms if not is_resize_to(text, how.image_size)]
    if left:
        raise ValueError(
            f"Received: {model.file}, whose inputs go through {', '.join(left)}. Expected: a model without transforms, "
            "which an export does not hold; scripts/predict.py runs this one."
        )


def _check_beside(export: Export, model: TrainedModel) -> None:
    """Refuse an output name whose preprocessing file exists with other content.

    A file with the same content is fine: exports to several formats share it.
    """
    beside = preprocessing_path(export.output)
    if beside.exists() and beside.read_bytes() != export.preprocessing(model).to_json().encode():
        raise ValueError(
            f"Received: output={export.output}, but {beside} belongs to another model or to another "
            "--fold-preprocessing. Expected: a new name."
        )
