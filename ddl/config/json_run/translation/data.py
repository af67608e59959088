"""From the section `data` to fields of a plan."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ddl.config.json_run.checking.settings import Settings
from ddl.config.json_run.keys.loss import PDE_LOSSES
from ddl.config.json_run.translation.draft import Draft, NetworkForm
from ddl.data.slicing.slicer import slicer_text

CHANNELS_FIRST = "channels-first"
BURGERS = "burgers"
"""The data that `ddl` makes itself for the type `pde`."""

_OF_VALUES = ("BCE", "MSE", "Wasserstein", *PDE_LOSSES)
"""Losses that take targets as they are, unless `target_is_mask` is given."""
_OF_TRAINING = (
    *("jitter_crop", "random_zoom", "random_horizontal_flip", "random_vertical_flip"),
    "random_rotate",
)
"""Transforms that are drawn for training samples only."""
_SIDES = ("resize", "center_crop")


def translate_data(settings: Settings, draft: Draft, form: NetworkForm | None) -> None:
    """Add the fields about data to a draft."""
    if settings.input_type == "pde" and not settings.has("data.input_path"):
        _translate_generated(settings, draft)
    else:
        _translate_paths(settings, draft)
    fields = draft.fields
    fields["targets"] = "auto" if settings.only_outputs else targets_of(settings, form)
    fields["global_batch_size"] = settings[
        "data.batch_size" if settings.trains else "data.test_batch_size"
    ]
    fields["cache"] = "memory" if settings["data.preload"] else "none"
    _translate_formats(settings, draft, form)
    for name in ("transforms", "input_transforms", "target_transforms"):
        steps = settings[f"data.{name}"] or ()
        has_any = settings.has_target_files and not settings.only_outputs
        if steps and (name != "target_transforms" or has_any):
            texts = _transform_texts(settings, draft, f"data.{name}", steps, form)
            fields[name.removesuffix("s")] = tuple(texts)
    _translate_slicers(settings, draft)
    if settings.has("data.test_output_path"):
        fields["prediction_output"] = settings["data.test_output_path"]


def targets_of(settings: Settings, form: NetworkForm | None) -> str:
    """Return what the target of a sample is: "label", "mask" or "values"."""
    function = settings["loss.function"]
    if settings.target_type in ("labels", "mnist"):
        return "label"
    if function in PDE_LOSSES:
        return "values"
    if settings["data.target_is_mask"]:
        return "mask"
    if form is not None and len(form.output_shape) == 1 and function not in _OF_VALUES:
        return "label"
    return "values" if function in _OF_VALUES else "mask"


def _translate_paths(settings: Settings, draft: Draft) -> None:
    """Add where samples come from. Without training, the test data are what is opened."""
    fields = draft.fields
    has_files = settings.has_target_files
    if settings.trains:
        fields["data"] = settings["data.input_path"]
        if has_files and settings.has("data.target_path"):
            fields["target_data"] = settings["data.target_path"]
        if not settings.has("data.test_input_path"):
            fields["validation_part"] = 0.0
            return
    else:
        fields["data"] = settings["data.test_input_path"]
        if has_files and settings.has("data.test_target_path"):
            fields["target_data"] = settings["data.test_target_path"]
    fields["validation_data"] = settings["data.test_input_path"]
    if has_files and settings.has("data.test_target_path"):
        fields["validation_target_data"] = settings["data.test_target_path"]


def _translate_generated(settings: Settings, draft: Draft) -> None:
    fields = draft.fields
    fields["data"] = BURGERS
    count, tests = settings["data.num_examples"], settings["data.num_test_examples"]
    draft.give_option(
        "data_option",
        domain_size=settings["data.domain_size"],
        count=count or tests,
        bc_frequency=settings["data.bc_frequency"],
        bc_type=settings["data.bc_type"],
    )
    if tests is None:
        fields["validation_part"] = 0.0
    else:
        draft.give_option("data_option", validation_count=tests)


def _translate_formats(settings: Settings, draft: Draft, form: NetworkForm | None) -> None:
    """Add how files are read: pictures blue first and shrunk without averaging, arrays with channels first."""
    grey = settings["data.grayscale"]
    if settings.input_type == "images":
        tag, test_tag = settings["data.training_tag"], settings["data.test_tag"]
        is_labelled = settings.target_type == "labels"
        tag = None if not is_labelled else tag if settings.trains else test_tag or tag
        kind = "pictures" if not is_labelled else "tagged" if tag else "classes"
        is_grey = grey or settings["data.input_grayscale"]
        draft.give_option("data_option", format=kind, tag=tag, **_pictures(is_grey))
        if tag and settings.trains:
            draft.give_option("data_option", test_tag=test_tag)
    elif settings.input_type in ("numpy", "hdf5") and not settings["data.slicers"]:
        labelled = True if settings.target_type == "labels" else None
        axes = _axes(settings, "data_option", form)
        draft.give_option("data_option", format=CHANNELS_FIRST, axes=axes, class_folders=labelled)
    elif settings.input_type == "mnist":
        draft.give_option("data_option", format="idx")
    _translate_target_format(settings, draft, form)


def _translate_target_format(settings: Settings, draft: Draft, form: NetworkForm | None) -> None:
    """Add how the files of targets are read. Those of an autoencoder are its inputs, read once."""
    fields = draft.fields
    if fields.get("target_data") in (None, fields["data"]):
        return
    if settings.target_type in ("numpy", "hdf5") and not settings["data.slicers"]:
        axes = _axes(settings, "target_data_option", form)
        draft.give_option("target_data_option", format=CHANNELS_FIRST, axes=axes)
    elif settings.target_type == "images" and fields["targets"] == "mask":
        has_numbers = form is not None and (form.output_shape[-1] or 0) > 1
        mode = "classes" if has_numbers else None
        draft.give_option("target_data_option", format="pictures", mask_mode=mode)
    elif settings.target_type == "images":
        is_grey = settings["data.grayscale"] or settings["data.target_grayscale"]
        draft.give_option("target_data_option", format="pictures", **_pictures(is_grey))


def _axes(settings: Settings, field: str, form: NetworkForm | None) -> int | None:
    """Return 3 for a network of volumes: an array of three axes then has one channel, not one a plane."""
    own = settings["ddl." + field] if settings.has("ddl." + field) else None
    is_said = isinstance(own, Mapping) and "axes" in own
    return 3 if form is not None and len(form.input_shape) == 4 and not is_said else None


def _pictures(is_grey: bool) -> dict[str, str]:
    colours = {"channels": "grey"} if is_grey else {"colour_order": "bgr"}
    return {**colours, "resampling": "bilinear"}


def _transform_texts(
    settings: Settings,
    draft: Draft,
    path: str,
    steps: Sequence[Mapping[str, Any]],
    form: NetworkForm | None,
) -> Iterator[str]:
    """Yield the steps as texts, such as "resize=128x128"."""
    sized = [number for number, step in enumerate(steps) if any(step[name] for name in _SIDES)]
    for number, step in enumerate(steps):
        name, value = next((name, value) for name, value in step.items() if value is not None)
        if name in _OF_TRAINING and not settings.trains:
            text = "without effect: it changes training samples only."
            draft.notes.append(settings.problem(f"{path}.{number}.{name}", text))
        elif name in _SIDES:
            is_last = number == sized[-1]
            sides = _sides(value, form if is_last else None)
            if sides is None:
                where = (
                    "which fits the network in neither order"
                    if form and is_last
                    else "whose order is not clear"
                )
                text = f"Received: {list(value)}, {where}. Expected: equal sides, or those of the network."
                draft.problems.append(settings.problem(f"{path}.{number}.{name}", text))
            else:
                yield f"{name}={sides[0]}x{sides[1]}"
        elif name == "normalize":
            mean, std = (value[part] for part in ("mean", "std"))
            yield f"normalize={as_text(0.0 if mean is None else mean)},{as_text(1.0 if std is None else std)}"
        elif name == "random_patches":
            yield f"random_patches={value['number']},{value['size']}"
        else:
            yield f"{name}={value if isinstance(value, str) else as_text(value)}"


def _sides(given: Sequence[int], form: NetworkForm | None) -> tuple[int, int] | None:
    """Return height and width, from width and height in the order that fits the network; None if none fits."""
    width, height = given
    if width == height:
        return height, width
    wanted = None if form is None or len(form.input_shape) != 3 else form.input_shape[:2]
    if wanted is None:
        return None
    if None in wanted:  # both fit, and documentation says width first
        return height, width
    return next((order for order in ((height, width), (width, height)) if order == wanted), None)


def as_text(number: float) -> str:
    """Return a number as short as it can be read back."""
    text = repr(number)
    return text.removesuffix(".0")


def _translate_slicers(settings: Settings, draft: Draft) -> None:
    """Add the sets of blocks, and the file that puts them together."""
    slicers = settings["data.slicers"] or ()
    texts = tuple(
        slicer_text(**{k: v for k, v in each.items() if v is not None}) for each in slicers
    )
    if texts:
        draft.fields["slicer"] = texts
    if settings.has("data.hdf5_outfile"):
        draft.fields["assembled_output"] = settings["data.hdf5_outfile"]
        draft.fields["assembled_precision"] = settings["data.hdf5_precision"]
