"""The network of a file that predicts boxes, in whichever form, becomes a detector with one output."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from ddl.boxes.layout import Level
from ddl.models.detectors.layouts import layout_of
from ddl.models.network.file import summarize
from ddl.models.sides import Sides
from ddl.models.zoo import build_model, needed_sides, target_of
from ddl.training.checkpoint.transfer import copy_weights
from ddl.training.plan.plan import Plan
from ddl.training.plan.plan_flags import plan_from_flags
from tests.models.network.keras2 import save_weights
from tests.models.network.small_yolo import ANCHORS, CHANNELS, CLASSES, document, join, small_yolo

FORMS = pytest.mark.parametrize("change", [None, join], ids=["outputs", "joined"])
Change = Callable[[dict[str, Any]], None]


def options(change: Change | None = None, side: int | None = 32) -> dict[str, Any]:
    return {"layers": document(small_yolo(side), change), "anchors": ANCHORS}


@FORMS
def test_it_predicts_boxes_of_the_channels_classes(change: Change | None) -> None:
    told = summarize(options(change))
    assert (told.target, told.classes, told.output_shape) == ("boxes", CLASSES, (2 * 80, 8))
    assert target_of("network", options(change)) == "boxes"


@FORMS
def test_its_levels_are_finest_first_with_the_smallest_anchors(change: Change | None) -> None:
    layout = layout_of("network", options(change), CLASSES)
    assert layout.levels == (Level(4, ((8, 8), (16, 12))), Level(8, ((24, 30), (40, 44))))
    assert layout.classes == CLASSES


@FORMS
@pytest.mark.parametrize("side", [32, None])
def test_other_sizes_are_taken(change: Change | None, side: int | None) -> None:
    assert needed_sides("network", options(change, side)) == Sides(8, 8, channels=3)


@FORMS
def test_its_output_is_that_of_the_file_in_the_layouts_order(
    change: Change | None, tmp_path: Path
) -> None:
    theirs = small_yolo()
    for weight in theirs.weights:
        weight.assign(np.random.default_rng(1).uniform(0.1, 1, weight.shape))
    save_weights(theirs, tmp_path / "old.h5")
    ours = build_model("network", (48, 32, 3), CLASSES, **options(change))
    copy_weights(ours, tmp_path / "old.h5")
    picture = np.random.default_rng(2).uniform(0, 1, (2, 48, 32, 3)).astype("f4")
    open_sides = small_yolo(None)
    open_sides.set_weights(theirs.get_weights())
    coarse, fine = (np.asarray(output) for output in open_sides(picture))
    expected = np.concatenate([fine.reshape(2, -1, 8), coarse.reshape(2, -1, 8)], axis=1)
    np.testing.assert_allclose(ours(picture), expected, rtol=1e-5, atol=1e-5)


def test_one_level_is_a_detector_too() -> None:
    def keep_one(config: dict[str, Any]) -> None:
        config["output_layers"] = config["output_layers"][1:]

    given = {"layers": document(small_yolo(), keep_one), "anchors": ANCHORS[:4]}
    assert layout_of("network", given, CLASSES).levels == (Level(4, ((8, 8), (16, 12))),)
    assert build_model("network", None, None, **given).output_shape == (None, 128, 8)


def with_activation(config: dict[str, Any]) -> None:
    config["layers"][-1]["config"]["activation"] = "sigmoid"


def twice(config: dict[str, Any]) -> None:
    extra = json.loads(json.dumps(config["layers"][-1]))
    extra["name"] = extra["config"]["name"] = "again"
    config["layers"].append(extra)
    config["output_layers"].append(["again", 0, 0])


def to_labels(config: dict[str, Any]) -> None:
    pool = {"name": "pool"}
    inbound = [[[config["layers"][-1]["name"], 0, 0, {}]]]
    config["layers"].append(
        {"class_name": "GlobalAveragePooling2D", "config": pool, "inbound_nodes": inbound}
    )
    config["output_layers"] = [["pool", 0, 0]]


def unknown_output(config: dict[str, Any]) -> None:
    config["output_layers"][0][0] = "conv2d_81"


def odd_cells(config: dict[str, Any]) -> None:
    config["layers"][1]["config"]["strides"] = [4, 2]
    config["layers"] = [
        layer
        for layer in config["layers"]
        if layer["config"]["name"] in ("input_1", "stem", "conv2d_fine")
    ]
    config["layers"][-1]["inbound_nodes"] = [[["stem", 0, 0, {}]]]
    config["output_layers"] = [["conv2d_fine", 0, 0]]


BAD = {
    "activation": (with_activation, ANCHORS, "layer conv2d_fine with activation=sigmoid"),
    "one size twice": (twice, ANCHORS[:6], "two levels of one size \\("),
    "labels": (to_labels, ANCHORS[:2], "layer pool, which makes 16 of 32x32"),
    "cells that are no squares": (odd_cells, ANCHORS[:4], "which makes 8x16x16 of 32x32.*square"),
    "no such output": (unknown_output, ANCHORS, "'conv2d_81' is no layer"),
    "half an anchor": (None, ANCHORS[:7], "anchors=8,8,16,12,24,30,40 for model network"),
    "an anchor too many": (None, (*ANCHORS, 50.0, 50.0), "equally many anchors for each of 2"),
    "no width": (None, (0.0, *ANCHORS[1:]), "anchors=0,8,.*above 0"),
    "infinite": (None, (*ANCHORS[:7], float("inf")), "anchors=.*,inf for model network"),
    "other numbers of anchors": (
        None,
        (*ANCHORS, *ANCHORS[:4]),
        "conv2d_coarse with 16\\) for 3 anchors each. Expected: equally many, 3 \\* \\(5 \\+ classes\\)",
    ),
    "no channel for a class": (
        None,
        tuple(ANCHORS * 2),
        "for 4 anchors each. Expected: equally many, 4 \\* \\(5 \\+ classes\\)",
    ),
}


@pytest.mark.parametrize(("change", "anchors", "told"), BAD.values(), ids=BAD)
def test_what_cannot_be_a_detector_is_refused(
    change: Change | None, anchors: tuple[float, ...], told: str
) -> None:
    given = {"layers": document(small_yolo(), change), "anchors": anchors}
    with pytest.raises(ValueError, match=f"^Received: .*{told}") as caught:
        summarize(given)
    assert "\n" not in str(caught.value)
    assert "Expected: " in str(caught.value)


def test_levels_of_other_channels_are_refused() -> None:
    def other(config: dict[str, Any]) -> None:
        config["layers"][-1]["config"]["filters"] = CHANNELS + 2

    given = {"layers": document(small_yolo(), other), "anchors": ANCHORS}
    with pytest.raises(ValueError, match=r"conv2d_fine with 18, conv2d_coarse with 16"):
        summarize(given)


def test_several_outputs_without_anchors_are_refused_with_the_remedy() -> None:
    with pytest.raises(
        ValueError, match=r"2 outputs .*Expected: one output; for boxes, .*anchors="
    ):
        summarize({"layers": document(small_yolo())})


def test_targets_of_boxes_need_anchors() -> None:
    given = {"layers": document(small_yolo(), join)}
    with pytest.raises(
        ValueError, match=r"targets=boxes for model network without anchors.*10,13,"
    ):
        Plan(run_dir=Path("run"), model="network", model_option=given, targets="boxes")


def test_flags_with_anchors_take_the_loss_and_metric_of_boxes(tmp_path: Path) -> None:
    file = tmp_path / "net.json"
    file.write_text(document(small_yolo()))
    words = [f"file={file}", "anchors=" + ",".join(map(str, ANCHORS))]
    flags = {"model": "network", "model_option": words, "run_dir": tmp_path / "run"}
    plan = plan_from_flags(flags, {"loss": "dice", "metric": ("dice",)})
    assert (plan.predicts, plan.loss, plan.metric) == ("boxes", "yolo", ("ap50",))


def test_another_number_of_classes_is_refused() -> None:
    with pytest.raises(ValueError, match=r"classes=4 for model network. Expected: 3"):
        build_model("network", (32, 32, 3), 4, **options())


def test_plain_keras_loads_the_saved_model(tmp_path: Path) -> None:
    model = build_model("network", (32, 32, 3), CLASSES, **options())
    model.save(tmp_path / "net.keras")
    assert keras.models.load_model(tmp_path / "net.keras").output_shape == (None, 160, 8)
