"""Refuses configs of detectors whose keys contradict each other, or of which one needs another."""

from __future__ import annotations

from collections.abc import Iterator

from ddl.config.json_run.checking.settings import Settings
from ddl.config.json_run.keys.detector import BOX_LOSSES, BOXES
from ddl.config.json_run.place import Problem
from ddl.training.plan.boxes import loss_of_boxes

_OF_OTHERS = (
    *("data.target_path", "data.test_target_path", "data.transforms", "data.input_transforms"),
    *("data.target_transforms", "data.slicers", "data.hdf5_outfile", "data.test_output_path"),
    *("data.training_tag", "data.test_tag"),
)


def detector_problems(settings: Settings, _: str | None) -> Iterator[Problem]:
    """Yield what is wrong with the keys of a detector, or with keys of a detector in another run."""
    if not settings.is_detector:
        if settings["loss.function"] in BOX_LOSSES:
            yield settings.problem(
                "loss.function",
                f"{settings['loss.function']} without detector. Expected: both, such as "
                '"detector": {"network": "yolov3"}.',
            )
        if BOXES in (settings.input_type, settings.target_type):
            yield settings.problem(
                "data.type", 'boxes without detector. Expected: such as {"network": "fcos"}.'
            )
        return
    for name in ("layers", "generator", "discriminator", "gan"):
        if settings.has(name):
            yield settings.problem(name, "with detector. Expected: one of them.")
    yield from _of_loss(settings)
    yield from _of_data(settings)
    if settings["optimizer.type"] == "Hessian":
        text = "Hessian for a detector. Expected: a type of first order, such as Adam."
        yield settings.problem("optimizer.type", text)


def _of_loss(settings: Settings) -> Iterator[Problem]:
    function, network = settings["loss.function"], settings["detector.network"]
    if function is None or network is None:
        return
    wanted = next(name for name, loss in BOX_LOSSES.items() if loss == loss_of_boxes(network))
    if function != wanted:
        text = f"{function} for detector {network}. Expected: {wanted}, or no loss."
        yield settings.problem("loss.function", text)


def _of_data(settings: Settings) -> Iterator[Problem]:
    if settings.has("data") and not settings.trains:
        yield settings.problem(
            "data.input_path",
            "is missing, and needed for a detector. Expected: pictures with boxes; scripts/predict.py uses a trained "
            "one.",
        )
    if settings.has("data") and settings["data.type"] != BOXES:
        yield settings.problem("data.type", f'is missing or another. Expected: "{BOXES}".')
    for path in _OF_OTHERS:
        if settings.has(path):
            yield settings.problem(path, "has no meaning for a detector.")
