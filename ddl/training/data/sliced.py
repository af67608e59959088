"""Opens the data of a plan with slicers, and checks the file that predictions of slices are put together in."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ddl.data.slicing.slicer import parse_slicers
from ddl.data.source import Source
from ddl.data.sources.slices import open_slices
from ddl.files import check_folder
from ddl.ranges import check_choice
from ddl.training.plan.plan import Plan
from ddl.training.plan.slicing import SLICE_OPTIONS
from ddl.training.record.run_dir import check_no_run_file

_TARGET_OPTIONS = ("keys", "memory_limit")
_INPUTS = ("data", "target_data", "validation_data", "validation_target_data", "test_data")


def open_sliced(
    plan: Plan,
    data: str,
    target: str | None = None,
    value_range: tuple[float, float] | None = None,
) -> Source:
    """Open one large array as slices, with targets from the same file or another one. Reads headers only.

    Args:
        plan: gives the slicers, and the options of the data.
        data: the file of inputs.
        target: the file of targets; None where they are in that of inputs, or there are none.
        value_range: that of the training samples, for other data.
    """
    options = _options(plan.data_option, SLICE_OPTIONS, "data_option")
    of_targets = _options(plan.target_data_option, _TARGET_OPTIONS, "target_data_option")
    if value_range is not None:
        options["range"] = value_range
    target_keys = of_targets.pop("keys", None)
    return open_slices(
        Path(data),
        parse_slicers(plan.slicer),
        target_path=None if target is None else Path(target),
        target=plan.predicts,
        target_keys=target_keys,
        **{**of_targets, **options},
    )


def _options(given: Mapping[str, Any], known: tuple[str, ...], owner: str) -> dict[str, Any]:
    for name in given:
        check_choice(owner, name, known, "slices")
    return dict(given)


def check_assembled_file(name: str, path: Path | None, inputs: Mapping[str, Any]) -> None:
    """Refuse a file of assembled predictions that cannot be made, or would replace the data. None passes.

    Args:
        name: name of the setting.
        path: its value.
        inputs: other settings by name, of which those that name data are looked at.
    """
    if path is None:
        return
    if path.is_dir():
        raise ValueError(
            f"Received: {name}={path}, which is a folder. Expected: a name for a file."
        )
    check_folder(name, path.parent)
    check_no_run_file(name, path)
    for field in _INPUTS:
        data = inputs.get(field)
        if data is not None and os.path.realpath(data) == os.path.realpath(path):
            raise ValueError(
                f"Received: {name}={path}, which is {field}, too. Expected: another name."
            )
