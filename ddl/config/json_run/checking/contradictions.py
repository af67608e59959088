"""Refuses configs whose keys contradict each other, or of which one needs another. All at once."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator

from ddl.config.json_run.checking.detector import detector_problems
from ddl.config.json_run.checking.gan import gan_problems
from ddl.config.json_run.checking.settings import Settings
from ddl.config.json_run.keys.detector import BOX_LOSSES
from ddl.config.json_run.keys.key import EXPECTED
from ddl.config.json_run.keys.loss import PDE_LOSSES
from ddl.config.json_run.place import Place, Problem

APPS = ("dnn", "pde", "gan", "obj")
REASONS = {"gan": "which has the keys of a GAN", "obj": "which has a detector"}
REASONS_AGAINST = {"gan": "without generator and discriminator", "obj": "without a detector"}
_PATHS = ("data.input_path", "data.target_path", "data.test_input_path", "data.test_target_path")
_OF_OTHER = {"numpy": (".h5", ".hdf5"), "hdf5": (".npy", ".npz")}
"""Type of arrays -> endings of files of the other type."""
_OF_MASKS = ("Dice", "Jaccard", "Lovasz")


def find_contradictions(
    settings: Settings, app: str | None = None, told: Collection[str] = ()
) -> list[Problem]:
    """Return the problems of keys together.

    Args:
        settings: the values of a run.
        app: the value of --app.
        told: paths of keys that are wrong by themselves. What depends on them is not judged.
    """
    found: list[Problem] = []
    for check in _CHECKS:
        settings.asked.clear()
        found += [problem for problem in check(settings, app) if not _rests_on(settings, told)]
    return found


def _rests_on(settings: Settings, told: Collection[str]) -> bool:
    """Return whether a key that was asked for is wrong by itself, or has one in it."""
    return any(_touches(path, asked) for path in told for asked in settings.asked)


def _touches(path: str, asked: str) -> bool:
    return path == asked or path.startswith(f"{asked}.") or asked.startswith(f"{path}.")


def app_of(settings: Settings) -> str:
    """Return the application that a config is for: "dnn", "pde", "gan" or "obj"."""
    if settings.is_gan:
        return "gan"
    function = settings["loss.function"]
    if settings.is_detector or function in BOX_LOSSES:
        return "obj"
    return "pde" if function in PDE_LOSSES or settings.input_type == "pde" else "dnn"


def _of_app(settings: Settings, app: str | None) -> Iterator[Problem]:
    found = app_of(settings)
    if app is not None and app != found:
        reason = REASONS.get(found) or REASONS_AGAINST.get(app, "without a PDE loss")
        if settings.has("loss.function") and not {"gan", "obj"} & {app, found}:
            reason = f"whose loss is {settings['loss.function']}"
        yield Problem(
            Place(f"--app={app}"),
            "",
            f"contradicts the config, {reason}. Expected: --app={found}, or no --app.",
        )


def _of_parts(settings: Settings, _: str | None) -> Iterator[Problem]:
    """Each run needs something to do, and what that needs."""
    if not settings.has("layers") and settings.has_layers:
        text = f"is missing. Expected: {EXPECTED['layers']}."
        yield settings.problem("layers", text)
    if settings.trains:
        for name, example in (("optimizer", '{"type": "Adam"}'), ("loss", '{"function": "NLL"}')):
            if not settings.has(name) and not (name == "loss" and settings.is_detector):
                yield settings.problem(
                    name, f"is missing, and needed to train. Expected: such as {example}."
                )
    elif not settings.has_layers:
        return  # told with its other keys
    elif settings.tests:
        if not settings.has("checkpoints.load"):
            yield settings.problem(
                "checkpoints.load",
                "is missing, and needed without data.input_path. Expected: the model to infer with.",
            )
    elif settings.has("data"):
        needed = (
            "num_examples or num_test_examples"
            if settings.input_type == "pde"
            else "input_path or test_input_path"
        )
        yield settings.problem(
            "data", f"Received: neither {needed.replace(' or ', ' nor ')}. Expected: one of them."
        )
    for name, needed in (
        ("data.target_path", "data.input_path"),
        ("data.test_target_path", "data.test_input_path"),
        ("data.test_output_path", "data.test_input_path"),
        ("data.hdf5_outfile", "data.slicers"),
        ("data.hdf5_outfile", "data.test_input_path"),
    ):
        is_made = (
            settings.input_type == "pde" and needed == "data.test_input_path" and settings.tests
        )
        if settings.has(name) and not settings.has(needed) and not is_made:
            yield settings.problem(
                name, f"has no meaning without {needed}. Expected: both, or neither."
            )


def _of_paths(settings: Settings, _: str | None) -> Iterator[Problem]:
    for path in _PATHS:
        place = settings.given.get(path)
        kind = settings.target_type if "target" in path else settings.input_type
        if place is None:
            continue
        if not os.path.lexists(place):
            yield settings.problem(path, f"{place} does not exist. Expected: a file or folder.")
        elif str(place).lower().endswith(_OF_OTHER.get(kind or "", ())):
            text = f"{place}, but its type is {kind}. Expected: a file of that type."
            yield settings.problem(path, text)
    network = settings.given.get("layers.file")
    if network is not None and not os.path.isfile(network):  # noqa: PTH113
        what = "is no file" if os.path.lexists(network) else "does not exist"
        yield settings.problem("layers", f"{network} {what}. Expected: a network file.")


def _of_types(settings: Settings, _: str | None) -> Iterator[Problem]:
    if not settings.has("data"):
        return
    if settings["data.type"] == "labels" and not settings.has("data.input_type"):
        yield settings.problem(
            "data.type",
            'labels are targets. Expected: "input_type": "images", "target_type": "labels".',
        )
    if not settings.has("data.type"):
        for name in ("input_type", "target_type"):
            if not settings.has(f"data.{name}"):
                yield settings.problem(
                    "data.type", "is missing. Expected: type, or input_type and target_type."
                )
                return
    kinds = settings.input_type, settings.target_type
    if "pde" in kinds and kinds[0] != kinds[1]:
        yield settings.problem(
            "data.target_type",
            "another type than inputs. Expected: pde alone, which makes its samples.",
        )
    if settings.input_type == "pde":
        if not settings.has("data.domain_size"):
            yield settings.problem(
                "data.domain_size",
                "is missing, and needed for pde. Expected: a whole number of points.",
            )
        low, high = settings["data.bc_frequency"] or (0, 0)
        if low > high:
            yield settings.problem(
                "data.bc_frequency",
                f"Received: {low:g} above {high:g}. Expected: least and largest.",
            )
    yield from _of_targets(settings)


def _of_targets(settings: Settings) -> Iterator[Problem]:
    """Training needs targets, and so does its test; of an autoencoder they are the inputs."""
    if not settings.has_target_files:
        return
    data, target = settings["data.input_path"], settings["data.target_path"]
    if data is not None and target is None:
        text = f"is missing, and needed for targets that are {settings.target_type}."
        yield settings.problem("data.target_path", text)
    elif data != target and settings.tests and not settings.has("data.test_target_path"):
        text = "is missing, and needed to test. Expected: the targets of data.test_input_path."
        yield settings.problem("data.test_target_path", text)


def _of_loss(settings: Settings, _: str | None) -> Iterator[Problem]:
    function = settings["loss.function"]
    if not settings.has_layers:
        return
    if settings.target_type in ("labels", "mnist") and function in _OF_MASKS:
        yield settings.problem(
            "loss.function", f"{function} compares masks, and targets are labels. Expected: NLL."
        )
    if settings.target_type in ("labels", "mnist") and function in PDE_LOSSES:
        yield settings.problem(
            "loss.function", f"{function} needs fields, and targets are labels. Expected: NLL."
        )
    if function == "Burgers_PDE" and settings.input_type not in ("pde", "numpy", "hdf5", None):
        yield settings.problem(
            "loss.function", f"Burgers_PDE needs curves, and inputs are {settings.input_type}."
        )
    if settings.input_type == "pde" and function is not None and function != "Burgers_PDE":
        yield settings.problem(
            "loss.function", f"{function} for data of type pde. Expected: Burgers_PDE."
        )
    if settings["loss.weight"] and not any(settings["loss.weight"]):
        yield settings.problem("loss.weight", "Received: zeros alone. Expected: one above 0.")
    if function == "NLL" and settings["loss.source"] == "sigmoid":
        yield settings.problem(
            "loss.source", "sigmoid for NLL. Expected: softmax or log_softmax; or the loss BCE."
        )


def _of_optimizer(settings: Settings, _: str | None) -> Iterator[Problem]:
    if settings["optimizer.nesterov"]:
        if not settings["optimizer.momentum"]:
            yield settings.problem(
                "optimizer.nesterov", 'true without momentum. Expected: such as "momentum": 0.9.'
            )
        if settings["optimizer.dampening"]:
            yield settings.problem(
                "optimizer.nesterov", "true with dampening. Expected: one of them."
            )
    milestones = settings["optimizer.lr_scheduler.milestones"]
    if milestones and list(milestones) != sorted(set(milestones)):
        path = "optimizer.lr_scheduler.milestones"
        yield settings.problem(path, f"Received: {list(milestones)}. Expected: increasing epochs.")


def _of_slicers(settings: Settings, _: str | None) -> Iterator[Problem]:
    slicers = settings["data.slicers"] or ()
    names = [slicer["name"] for slicer in slicers]
    lengths = [len(slicer["sizes"]) for slicer in slicers if slicer["sizes"]]
    for number, slicer in enumerate(slicers):
        path, sizes = f"data.slicers.{number}", slicer["sizes"]
        if not sizes:
            continue
        axes = len(sizes)
        if axes != lengths[0] or axes > 3:
            expected = "1 to 3 numbers" if axes > 3 else f"{lengths[0]}, as in the first set"
            yield settings.problem(
                f"{path}.sizes", f"Received: {axes} numbers. Expected: {expected}."
            )
        for name in ("padding", "padded_sizes", "strides"):
            if slicer[name] is not None and len(slicer[name]) != axes:
                yield settings.problem(
                    f"{path}.{name}",
                    f"Received: {len(slicer[name])} numbers. Expected: {axes}, as in sizes.",
                )
        if slicer["padding"] and slicer["padded_sizes"]:
            yield settings.problem(f"{path}.padding", "with padded_sizes. Expected: one of them.")
        padded = slicer["padded_sizes"]
        if (
            padded
            and len(padded) == axes
            and any(p < s for p, s in zip(padded, sizes, strict=True))
        ):
            yield settings.problem(
                f"{path}.padded_sizes", "smaller than sizes. Expected: at least sizes."
            )
        if slicer["transpose"] and sum(size > 1 for size in sizes) != 2:
            yield settings.problem(
                f"{path}.transpose", "of blocks that are not 2D. Expected: two sizes above 1."
            )
        if slicer["name"] and names.index(slicer["name"]) < number:
            yield settings.problem(
                f"{path}.name", f"{slicer['name']} twice. Expected: a name for each set."
            )


def _of_grayscale(settings: Settings, _: str | None) -> Iterator[Problem]:
    for path in ("data.input_grayscale", "data.target_grayscale"):
        if settings.has(path) and settings["data.grayscale"] and not settings[path]:
            yield settings.problem(path, "false with grayscale. Expected: one of them.")
    for name in ("transforms", "input_transforms", "target_transforms"):
        for number, step in enumerate(settings[f"data.{name}"] or ()):
            conversion = step["convert_color"] or ""
            if (
                settings["data.grayscale"]
                and conversion
                and not conversion.upper().startswith("GRAY")
            ):
                path = f"data.{name}.{number}.convert_color"
                yield settings.problem(path, f"{conversion} with grayscale. Expected: one of them.")


_CHECKS = (
    _of_app,
    _of_parts,
    _of_paths,
    _of_types,
    _of_loss,
    _of_optimizer,
    _of_slicers,
    _of_grayscale,
    gan_problems,
    detector_problems,
)
