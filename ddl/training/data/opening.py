"""Opens the data of a plan as stored, with their targets in the same place or in another. No TensorFlow here."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ddl.data.pictures.conversion import Conversion
from ddl.data.source import Source
from ddl.data.sources import (
    FORMAT_OPTION,
    PICTURE_FILES,
    PICTURE_FOLDERS,
    SEEDED,
    SOURCES,
    check_source_options,
    format_of,
    open_source,
    splits_of,
)
from ddl.data.sources.array_files.channels_first import open_arrays
from ddl.data.sources.array_files.target_arrays import open_targets
from ddl.data.sources.picture_folders import classes, folders, pairs, pictures
from ddl.data.sources.picture_folders.picture_files import open_pictures
from ddl.data.sources.two_paths import InputsOnly, Itself, TwoPaths, alone, pair_files
from ddl.training.data.sliced import open_sliced
from ddl.training.plan.plan import Plan
from ddl.training.plan.transforms import input_size, mask_numbers, target_size

_FINDERS = {"pairs": pairs, "folders": folders, "classes": classes, "pictures": pictures}
"""Picture formats whose files are found without options."""


def open_samples(plan: Plan, data: str, target: str | None = None, **options: Any) -> Source:
    """Open data, and their targets where these are at another path.

    Args:
        plan: gives the options of the formats, and what the target is.
        data: file or folder of the inputs.
        target: file or folder of the targets; None where they are beside the inputs.
        **options: those of the format of `data` that the plan does not say.
    """
    if plan.slicer:
        return open_sliced(plan, data, target)
    if plan.predicts == "boxes" and target is not None:
        raise ValueError(
            f"Received: target_data={target} for model {plan.model}, which predicts boxes. Expected: no target_data; "
            "boxes are beside their pictures."
        )
    if target is None:
        data_format, given = _options_of(plan, data, plan.data_option, options)
        return open_source(data, data_format, **given)
    data_format, given = _options_of(plan, data, _as_inputs(data, plan.data_option), options)
    if is_same(data, target) and not plan.target_data_option:
        return _open_itself(plan, data, data_format, given)
    if plan.predicts == "mask" and data_format in _FINDERS and _is_pictures(target, plan):
        return _open_masks(plan, Path(data), data_format, Path(target), given)
    inputs = _open_inputs(Path(data), data_format, given)
    try:
        return TwoPaths(inputs, _open_targets(plan, target, options), plan.predicts)
    except BaseException:
        inputs.close()
        raise


def _as_inputs(data: str, stated: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the options of inputs whose targets are elsewhere: names of folders are then no labels."""
    if FORMAT_OPTION in stated or "tag" in stated or not pictures.has_pictures(Path(data)):
        return stated
    try:
        found = format_of(data, stated)
    except ValueError:  # pictures at some depth
        found = "classes"
    if found == "pairs" and not pairs.has_inputs(Path(data)):
        found = "classes"
    return {**stated, FORMAT_OPTION: "pictures"} if found == "classes" else stated


def is_same(one: str, other: str) -> bool:
    """Return whether two paths are one place."""
    return one == other or os.path.realpath(one) == os.path.realpath(other)


def _options_of(
    plan: Plan, data: str, stated: Mapping[str, Any], options: Mapping[str, Any]
) -> tuple[str, dict[str, Any]]:
    """Return the format of data and all of its options: those stated in the plan, its fields, and the caller's."""
    stated = dict(stated)
    if data not in (
        plan.data,
        plan.target_data,
    ):  # the split of the plan is that of its training data
        stated.pop("split", None)
    data_format, given = check_source_options(data, stated)
    given |= options
    size = target_size(plan) if data == plan.target_data != plan.data else input_size(plan)
    if data_format in PICTURE_FOLDERS and size is not None:
        given |= {"image_size": size, "resampling": "bilinear"}
    if data_format in PICTURE_FILES and plan.image_size is not None:
        given["image_size"] = plan.image_size
    if (
        plan.predicts == "mask"
        and mask_numbers(plan)
        and "mask_mode" in SOURCES.options(data_format)
    ):
        given.setdefault("mask_mode", "classes")
    if data_format in SEEDED:
        given.setdefault("seed", plan.seed)
        if plan.image_size is not None and data_format != "burgers":  # whose domain_size it is
            is_square = data_format not in ("synthetic-labels", "synthetic-boxes")
            given["size"] = _equal_side(plan.image_size, data) if is_square else plan.image_size
    if plan.fold is not None and data_format == "hdf5":
        given["fold"] = plan.fold
    return data_format, given


def _equal_side(sides: tuple[int, ...], data: str) -> int:
    if len(set(sides)) != 1:
        raise ValueError(
            f"Received: image_size={'x'.join(map(str, sides))} of {data} data. Expected: one number, because all "
            "sides are equal."
        )
    return sides[0]


def _open_itself(plan: Plan, data: str, data_format: str, given: dict[str, Any]) -> Source:
    """Open data that are named as their own targets: values are the inputs, masks and labels are beside them."""
    if plan.predicts == "values":
        return Itself(_open_inputs(Path(data), data_format, given))
    return open_source(data, data_format, **given)


def _open_inputs(data: Path, data_format: str, given: dict[str, Any]) -> Source:
    """Open the inputs of data without reading their targets."""
    if data_format in _FINDERS and "mask_mode" not in given:
        return _open_pictures(data, data_format, given)
    return InputsOnly(open_source(data, data_format, **given))


def _open_pictures(data: Path, data_format: str, given: Mapping[str, Any]) -> Source:
    options = dict(given)
    bits, value_range = options.pop("bits", None), options.pop("range", None)
    form = Conversion(**options, bits=bits or 8)
    return open_pictures(alone(_FINDERS[data_format].find(data)), form, bits, value_range)


def _is_pictures(target: str, plan: Plan) -> bool:
    """Return whether targets are picture files."""
    stated = plan.target_data_option.get(FORMAT_OPTION)
    if stated is not None:
        return bool(stated == "pictures")
    return pictures.has_pictures(Path(target))


def _open_masks(
    plan: Plan, data: Path, data_format: str, target: Path, given: Mapping[str, Any]
) -> Source:
    """Open picture files whose masks are the pictures at another path."""
    options = dict(given)
    bits, value_range = options.pop("bits", None), options.pop("range", None)
    stated = {k: v for k, v in plan.target_data_option.items() if k != FORMAT_OPTION}
    unknown = [name for name in stated if name not in ("mask_mode", "channels")]
    if unknown or stated.get("channels", "grey") != "grey":
        name = unknown[0] if unknown else f"channels={stated['channels']}"
        raise ValueError(
            f"Received: target_data_option {name} for masks. Expected: mask_mode, or channels=grey for masks in "
            "colours."
        )
    if stated.pop("channels", None):
        stated.setdefault("mask_mode", "grey")
    elif mask_numbers(plan):
        stated.setdefault("mask_mode", "classes")
    form = Conversion(**{**options, **stated}, bits=bits or 8)
    listing = pair_files(_FINDERS[data_format].find(data), pictures.find(target))
    return open_pictures(listing, form, bits, value_range)


def _open_targets(plan: Plan, target: str, options: Mapping[str, Any]) -> Source:
    """Open the targets as the first field of a source."""
    stated = dict(plan.target_data_option)
    if FORMAT_OPTION not in stated and pictures.has_pictures(Path(target)):
        stated[FORMAT_OPTION] = "pictures"
    known, given = check_source_options(target, stated)
    if known == "channels-first":
        given.pop("range", None)
        return open_arrays(Path(target), plan.predicts, **given)
    split = {"split": options["split"]} if "split" in options else {}
    if split and options["split"] not in splits_of(target, stated):
        split = {}
    _, given = _options_of(plan, target, stated, split)
    arrays = open_targets(Path(target), plan.predicts, known, given)
    if arrays is not None:
        return arrays
    if known in PICTURE_FOLDERS:
        return _open_inputs(Path(target), known, given)
    return InputsOnly(open_source(target, known, **given))
