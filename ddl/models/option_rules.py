"""The rules of models' options together: which contradict each other, and which a network does not have."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ddl.models.detectors.layouts import is_detector, layout_of
from ddl.models.encoders import find_encoder
from ddl.models.from_file import FROM_FILE
from ddl.models.network.file import summarize
from ddl.models.published import APPLICATIONS

AS_KERAS = (50, 101, 152)
"""Depths of the residual networks that `keras.applications` has."""


def check_together(given: Mapping[str, Any], defaults: Mapping[str, Any], owner: str) -> None:
    """Refuse an unknown encoder, a missing file, and options that contradict each other."""
    if owner == f"model {FROM_FILE}":
        _check_network({**defaults, **given})
        return
    values, name = {**defaults, **given}, owner.removeprefix("model ")
    if given.get("encoder", "plain") != "plain" or (not is_detector(name) and "encoder" in given):
        find_encoder(given["encoder"])
    if "anchors" in given:
        layout_of(name, given, 1)
    weights_file = given.get("weights_file")
    if weights_file is not None and not Path(weights_file).is_file():
        raise ValueError(
            f"Received: weights_file={weights_file}, which is not a file. Expected: a weights file on this machine "
            "(nothing is downloaded), or none."
        )
    if weights_file is not None and values.get("encoder") == "plain":
        raise ValueError(
            f"Received: weights_file={weights_file} with encoder=plain for {owner}. Expected: an encoder of "
            "keras.applications, such as resnet50; or no weights_file."
        )
    depth, width = values.get("depth", 0), values.get("width")
    if isinstance(width, tuple) and len(width) != depth + 1:
        raise ValueError(
            f"Received: width={','.join(map(str, width))} with depth={depth} for {owner}. Expected: one number of "
            f"channels, or depth + 1 = {depth + 1} of them."
        )
    if values.get("deep_supervision") and depth < 2:
        raise ValueError(
            f"Received: deep_supervision=true with depth={depth} for {owner}. Expected: a depth of 2 or more."
        )
    if values.get("zero_init_gamma") and values["norm"] == "none":
        raise ValueError(
            f"Received: zero_init_gamma=true with norm=none for {owner}. Expected: a normalization, which has a "
            "gamma; or zero_init_gamma=false."
        )
    _check_classifier(values, owner)


def _check_network(values: Mapping[str, Any]) -> None:
    """Refuse a network file that cannot be built."""
    if values["norm"] not in ("sync", "batch"):
        raise ValueError(
            f"Received: norm={values['norm']} for model {FROM_FILE}, whose file says where it normalizes. Expected one "
            "of: sync, batch."
        )
    summarize(values)


def _check_classifier(values: Mapping[str, Any], owner: str) -> None:
    """Refuse options of a classifier that contradict each other, or that its network does not have."""
    name = owner.removeprefix("model ")
    if name in APPLICATIONS and values.get("norm") not in (None, "sync", "batch"):
        raise ValueError(
            f"Received: norm={values['norm']} for {owner}, whose batch normalization is part of the published network. "
            "Expected one of: sync, batch."
        )
    if values.get("norm_after_relu") and values["norm"] == "none":
        raise ValueError(
            f"Received: norm_after_relu=true with norm=none for {owner}. Expected: a normalization, or "
            "norm_after_relu=false."
        )
    if values.get("as_keras") and name.removeprefix("resnet") not in map(str, AS_KERAS):
        raise ValueError(
            f"Received: as_keras=true for {owner}, which keras.applications does not have. Expected: resnet50, "
            "resnet101 or resnet152; or as_keras=false."
        )
    if values.get("as_keras") and (
        values["small_input"] or values["norm"] not in ("sync", "batch")
    ):
        raise ValueError(
            f"Received: as_keras=true with small_input={str(values['small_input']).lower()} norm={values['norm']} for "
            f"{owner}. Expected: small_input=false, and norm=sync or norm=batch."
        )
    rates = values.get("dropout")
    if isinstance(rates, tuple) and len(rates) != int(name.removeprefix("vgg")) + 1:
        raise ValueError(
            f"Received: dropout={','.join(map(str, rates))} for {owner}. Expected: one rate, or one for each block and "
            "one for the dense layer."
        )
