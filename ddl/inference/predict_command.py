"""The commands behind scripts/predict.py and scripts/evaluate.py.

Everything is checked before TensorFlow loads, so that bad input fails fast.
"""

from __future__ import annotations

import functools
import json
import sys

import ddl.distributed as dist
from ddl.data.pictures.picture_file import silence_decoders
from ddl.data.summary import tell_summary
from ddl.distributed.job.launcher import placement
from ddl.distributed.job.quiet import loading_tensorflow
from ddl.files import write_whole
from ddl.flags import BAD_INPUT, Parser, given_flags
from ddl.inference.backends.predictor import check_backend
from ddl.inference.inspection.groups import read_table
from ddl.inference.inspection.inspection import MASK_ROWS, Inspection
from ddl.inference.output_folder import FILES, check_folder
from ddl.inference.prediction.inputs import Item, find_items
from ddl.inference.prediction.prediction import Prediction
from ddl.inference.prediction.result_names import check_result_names
from ddl.inference.sampling.command import (
    check_no_drawing,
    check_no_generator,
    sample_from_flags,
    split_drawing,
)
from ddl.inference.tiles.segmenter import check_cut
from ddl.inference.trained_model import TrainedModel, find_model
from ddl.plain_text import escaped, tell
from ddl.standard_streams import end_output
from ddl.training.evaluation import Subject, evaluate, open_subject
from ddl.training.train_command import complain_together, naming_files, rank_problem

INTERRUPTED = 130
"""Exit status after Ctrl-C, as shells report it."""


def predict_from_flags(parser: Parser, argv: list[str] | None) -> int:
    """Run predict.py. Return the exit status: 0, 2 for bad input (with one line on stderr), 130 for Ctrl-C."""
    arguments = vars(parser.parse_args(argv))
    silence_decoders()
    given, drawing = split_drawing(arguments)
    if "samples" in drawing:
        return sample_from_flags(parser, given, drawing)
    try:
        with naming_files():
            check_no_drawing(drawing)
            prediction = Prediction(**given)
            model, items = check_prediction(prediction)
        # No stall timeout: ranks finish their shares at different times, possibly minutes apart.
        dist.init(stall_timeout_s=0)
    except ValueError as error:
        return parser.complain(error)
    from ddl.distributed.watch.failure import give_up

    with loading_tensorflow():
        from ddl.inference.one_rank import OneRankError
        from ddl.inference.prediction.predict import predict
    try:
        skipped = predict(prediction, model, items)
    except OneRankError as error:
        give_up(rank_problem(parser, error), BAD_INPUT)
    except ValueError as error:
        return complain_together(parser, error)
    except KeyboardInterrupt:
        sys.stderr.write("\n")
        tell(
            f"{parser.name}: interrupted; run the same command again to continue where it stopped."
        )
        return INTERRUPTED
    if dist.is_root():
        for line in skipped:
            tell(f"{parser.name}: skipped: {line}")
        done = len(items) - len(skipped)
        print(escaped(f"{prediction.output}: {done} predicted, {len(skipped)} skipped"))
    return 0


def evaluate_from_flags(parser: Parser, argv: list[str] | None) -> int:
    """Run evaluate.py and print the results. Return the exit status: 0, 2 for bad input, 130 for Ctrl-C."""
    arguments = vars(parser.parse_args(argv))
    silence_decoders()
    try:
        with naming_files():
            inspection = Inspection(**given_flags(arguments))
            subject = open_subject(inspection)
            finds_boxes = subject.plan.predicts == "boxes"
            looks_closer = inspection.looks_closer or finds_boxes
            model = check_inspection(inspection, subject) if looks_closer else None
        dist.init()
    except ValueError as error:
        return parser.complain(error)
    from ddl.distributed.watch.failure import give_up

    with loading_tensorflow():
        from ddl.inference.inspection.box_inspector import inspect_boxes
        from ddl.inference.inspection.inspector import inspect
        from ddl.training.steps.bad_data import BadData
    try:
        look = inspect_boxes if finds_boxes else inspect
        measure = evaluate if model is None else functools.partial(look, model=model)
        results = measure(inspection, subject)
    except BadData as error:
        give_up(rank_problem(parser, error), BAD_INPUT)
    except ValueError as error:
        return complain_together(parser, error)
    except KeyboardInterrupt:
        sys.stderr.write("\n")
        tell(f"{parser.name}: interrupted.")
        return INTERRUPTED
    if dist.is_root():
        tell_summary(parser.name, subject.describe())
        text = json.dumps(results, indent=2) + "\n"
        sys.stdout.write(text)
        if inspection.output is not None:
            write_whole(inspection.output, lambda path: path.write_text(text, encoding="utf-8"))
        return end_output(parser.name) if inspection.output is None else 0
    return 0


def check_inspection(inspection: Inspection, subject: Subject) -> TrainedModel:
    """Find the model to evaluate, and check all that can be checked without TensorFlow.

    Raises:
        ValueError: one line that says what is wrong and what to do.
    """
    if inspection.exported is not None:
        model = find_model(inspection.exported)
    else:
        model = find_model(inspection.model, inspection.checkpoint, subject.trained)
    check_backend(model.file, inspection.backend, inspection.inference_precision)
    if inspection.tile is not None:
        check_cut(inspection.cut, model.preprocessing)
    if subject.plan.predicts != model.preprocessing.target:
        raise ValueError(
            f"Received: exported={inspection.exported}, which predicts a {model.preprocessing.target}, for a run that "
            f"predicts a {subject.plan.predicts}. Expected: an export of that run."
        )
    check_looks(inspection, subject, model.preprocessing.target)
    if subject.plan.predicts == "mask" and inspection.worst > MASK_ROWS:
        raise ValueError(
            f"Received: worst={inspection.worst} for masks. Expected: at most {MASK_ROWS}; more do not fit on a sheet."
        )
    return model


def check_looks(inspection: Inspection, subject: Subject, target: str) -> None:
    """Refuse groups and maps that these samples cannot have.

    Raises:
        ValueError: one line.
    """
    if target == "boxes":
        for name in ("tile", "confusion", "by", "occlusion", "prediction_output"):
            if getattr(inspection, name):
                raise ValueError(
                    f"Received: {name} for a model that finds boxes. Expected: the command without it; there are worst "
                    "and per_picture."
                )
        return
    needs = {"class": "label", "size": "mask"}
    table = () if inspection.by_table is None else read_table(inspection.by_table, ()).columns
    for column in inspection.by:
        if column not in table and needs.get(column, target) != target:
            raise ValueError(
                f"Received: by={column} for a model that predicts a {target}. Expected: intensity, contrast, or a "
                "column of by_table."
            )
    shape = next(iter(subject.source.fields.values())).shape
    if inspection.occlusion and len(shape) != 3:
        raise ValueError(
            f"Received: occlusion={inspection.occlusion} for samples of {len(shape) - 1} sides. Expected: pictures, of "
            "height and width."
        )


def check_prediction(prediction: Prediction) -> tuple[TrainedModel, list[Item]]:
    """Find the model and the pictures, and check all that can be checked without TensorFlow.

    Raises:
        ValueError: one line that says what is wrong and what to do.
    """
    model = find_model(prediction.model, prediction.checkpoint)
    check_no_generator(model)
    check_backend(model.file, prediction.backend, prediction.inference_precision)
    prediction = prediction.settled(model.preprocessing)
    prediction.check_model(model.preprocessing)
    check_cut(prediction.cut, model.preprocessing)
    if placement().rank == 0:
        check_folder(prediction.output, prediction.facts() | {"model": model.digest()})
    items = find_items(
        prediction.input, model.preprocessing, prediction.pixel_limit, prediction.keys
    )
    if model.preprocessing.target != "label":
        check_result_names(prediction, items, FILES, ignores_case=False)
    return model, items
