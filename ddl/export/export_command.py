"""From the flags of export.py and benchmark_inference.py to files and an exit status.

TensorFlow loads when all is checked.
"""

from __future__ import annotations

import sys

from ddl.distributed.job.launcher import placement
from ddl.distributed.job.quiet import loading_tensorflow
from ddl.export.export import Export
from ddl.export.reference_pictures import DataChoice, Samples, open_samples
from ddl.export.speed.inference_benchmark import InferenceBenchmark
from ddl.flags import Parser, complain, given_flags
from ddl.inference.backends.optional_packages import check_packages
from ddl.inference.backends.predictor import BACKENDS
from ddl.inference.output_folder import disk_trouble
from ddl.inference.predict_command import INTERRUPTED
from ddl.inference.trained_model import TrainedModel, find_model, preprocessing_path
from ddl.training.train_command import naming_files


def export_from_flags(parser: Parser, argv: list[str] | None) -> int:
    """Parse, check, export; print the comparison; return the exit status: 0, 2 for bad input, 130 for Ctrl-C."""
    arguments = vars(parser.parse_args(argv))
    try:
        with naming_files():
            export = Export(**given_flags(arguments))
            model, checks, calibration = check_export(export)
        with loading_tensorflow():
            from ddl.export.exporter import export_model
        done = export_model(export, model, checks, calibration)
    except ValueError as error:
        return complain(parser.name, error)
    except OSError as error:
        return complain(parser.name, disk_trouble(export.output, error))
    except KeyboardInterrupt:
        sys.stderr.write(f"\n{parser.name}: interrupted; nothing was written.\n")
        return INTERRUPTED
    print(done.parity.table(done.bytes_before, done.bytes_after))
    print(f"{export.output}: {export.format} in {export.precision}")
    return 0


def benchmark_from_flags(parser: Parser, argv: list[str] | None) -> int:
    """Parse, check, measure; print the table; return the exit status: 0, 2 for bad input, 130 for Ctrl-C."""
    arguments = vars(parser.parse_args(argv))
    try:
        with naming_files():
            benchmark = InferenceBenchmark(**given_flags(arguments))
            model, checks, calibration = check_benchmark(benchmark)
        with loading_tensorflow():
            from ddl.export.speed.measure_speed import contest
        print(contest(benchmark, model, checks, calibration), end="")
    except ValueError as error:
        return complain(parser.name, error)
    except KeyboardInterrupt:
        sys.stderr.write(f"\n{parser.name}: interrupted.\n")
        return INTERRUPTED
    return 0


def check_benchmark(benchmark: InferenceBenchmark) -> tuple[TrainedModel, Samples, Samples]:
    """Find the model, samples to compare on, and samples to calibrate with.

    Raises:
        ValueError: in one line, with what to do.
    """
    check_packages(("openvino", "nncf"), "a benchmark of OpenVINO")
    model = find_model(benchmark.model, benchmark.checkpoint)
    benchmark.check_model(model.preprocessing)
    checks, calibration = (
        open_samples(DataChoice(benchmark.model, benchmark.checkpoint, None, count, part), model)
        for count, part in (
            (benchmark.check_samples, "check"),
            (benchmark.calibration_samples, "calibration"),
        )
    )
    return model, checks, calibration


def check_export(export: Export) -> tuple[TrainedModel, Samples, Samples | None]:
    """Find the model and the samples, and refuse what can be refused before TensorFlow loads.

    Returns:
        The model, samples to compare on, and samples to calibrate with, if any are wanted.

    Raises:
        ValueError: in one line, with what to do.
    """
    if placement().size > 1:
        raise ValueError(
            f"Received: {placement().size} ranks. Expected: one; an export is no work to share."
        )
    model = find_model(export.model, export.checkpoint)
    if model.file.suffix not in BACKENDS["keras"].suffixes:
        raise ValueError(
            f"Received: {model.file}, which is exported already. Expected: the run or Keras file it came from."
        )
    if export.fold_preprocessing and model.preprocessing.axes == 3:
        raise ValueError(
            "Received: fold_preprocessing for a model of volumes, which are stored as floats. Expected: none."
        )
    _check_beside(export, model)
    place = (export.model, export.checkpoint)
    checked = DataChoice(*place, export.check_data, export.check_samples, "check")
    shown = DataChoice(*place, export.calibration_data, export.calibration_samples, "calibration")
    quantizes = export.precision == "int8"
    return model, open_samples(checked, model), open_samples(shown, model) if quantizes else None


def _check_beside(export: Export, model: TrainedModel) -> None:
    """Refuse a name whose preprocessing is taken, unless it is the same: one file serves exports to several formats."""
    beside = preprocessing_path(export.output)
    if beside.exists() and beside.read_bytes() != export.preprocessing(model).to_json().encode():
        raise ValueError(
            f"Received: output={export.output}, and {beside} is that of another model or folding. Expected: a new name."
        )
