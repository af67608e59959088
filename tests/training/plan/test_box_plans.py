"""Plans of detectors: what makes no sense for boxes is refused in one line, by its name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ddl.training.plan.plan import Plan

YOLO: dict[str, Any] = {"model": "yolo_small", "loss": "yolo", "metric": ("ap50",)}
FCOS = {**YOLO, "model": "fcos", "loss": "fcos"}
UNET = {**YOLO, "model": "unet", "loss": "dice", "metric": ("dice",)}


def plan(fields: dict[str, Any]) -> Plan:
    return Plan(run_dir=Path("run"), data="synthetic-boxes", **fields)


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "a loss of masks": ({**YOLO, "loss": "dice"}, "loss=dice for model yolo_small, .*loss=yolo"),
    "points for anchors": ({**YOLO, "loss": "fcos"}, "loss=fcos for model yolo_small.*loss=yolo"),
    "boxes of a U-Net": ({**UNET, "loss": "yolo"}, "loss=yolo for model unet, which finds no box"),
    "precision of masks": ({**UNET, "metric": ("ap",)}, "metric=ap for model unet, which finds no"),
    "targets of a U-Net": ({**UNET, "targets": "boxes"}, "targets=boxes for model unet"),
    "masks of boxes": ({**YOLO, "metric": ("dice",)}, "metric=dice.*one of: ap, ap50, ap75"),
    "labels": ({**YOLO, "targets": "label"}, "targets=label for model yolo_small"),
    "values": ({**YOLO, "targets": "values"}, "targets=values for model yolo_small"),
    "weights of classes": ({**YOLO, "class_weight": "balanced"}, "class_weight=balanced"),
    "crops": (
        {**YOLO, "augment": {"crop_size": (32, 32)}},
        "augment crop_size=.*pad_crop and zoom",
    ),
    "a partition": ({**YOLO, "partition": "labels"}, "partition=labels .*no partition"),
    "mixed pictures": ({**YOLO, "mix": {"mixup": 0.5}}, "mix for model yolo_small.*mosaic"),
    "elastic": (
        {**YOLO, "augment": {"elastic_pixels": 3.0}},
        "elastic_pixels for samples with box",
    ),
    "transforms": ({**YOLO, "transform": ("resize=32x32",)}, "transforms for a model .*augment"),
    "one file of outputs": ({**YOLO, "assembled_output": Path("x")}, "no assembled_output"),
    "a monitor of batches": ({**YOLO, "monitor": "ap50"}, "monitor=ap50 .*monitor=val_ap50"),
    "a target of batches": ({**YOLO, "target": "ap50=0.9"}, "target=ap50 .*target=val_ap50"),
    "half an anchor": (
        {**YOLO, "model_option": {"anchors": (8.0, 8.0, 9.0)}},
        "anchors=8,8,9 for model yolo_small. .*each of 2 levels",
    ),
    "an anchor without width": (
        {**YOLO, "model_option": {"anchors": (0.0, 8.0, 9.0, 9.0)}},
        "anchors=0,8,9,9 .*above 0",
    ),
    "anchors for one level": (
        {**YOLO, "model_option": {"anchors": (8.0, 8.0)}},
        "anchors=8,8 .*equally many anchors for each of 2 levels",
    ),
    "the largest anchor first": (
        {**YOLO, "model_option": {"anchors": (56.0, 56.0, 8.0, 9.0)}},
        "anchors of model yolo_small with 56x56 before 8x9. Expected: smallest first",
    ),
    "anchors of points": (
        {**FCOS, "model_option": {"anchors": (8.0, 8.0)}},
        "model fcos. Received: 'anchors'. Expected: encoder",
    ),
    "an unknown encoder": (
        {**FCOS, "model_option": {"encoder": "resnet5"}},
        "encoder='resnet5'. Expected one of: resnet50",
    ),
    "weights of no encoder": (
        {**FCOS, "model_option": {"weights_file": __file__}},
        "weights_file=.* with encoder=plain for model fcos. .*resnet50",
    ),
    "a negative weight": (
        {**YOLO, "loss_option": {"box_weight": -1.0}},
        "box_weight=-1.0 .*least 0",
    ),
    "an overlap above 1": (
        {**YOLO, "loss_option": {"ignore_above": 2.0}},
        "ignore_above=2.0 .*most 1",
    ),
    "a weight that is no number": (
        {**YOLO, "loss_option": {"empty_weight": float("nan")}},
        "empty_weight=nan for loss yolo",
    ),
    "the focus of another loss": (
        {**YOLO, "loss_option": {"gamma": 2.0}},
        "loss yolo. Received: 'gamma'. Expected: box_weight",
    ),
    "a score above 1": (
        {**YOLO, "metric_option": {"ap50": {"least_score": 2.0}}},
        "least_score=2.0 for metric ap50. Expected: at least 0, at most 1",
    ),
    "two sets of boxes": (
        {
            **YOLO,
            "metric": ("ap50", "ap"),
            "metric_option": {"ap50": {"least_score": 0.1}, "ap": {"least_score": 0.2}},
        },
        "different metric_option of ap50 and ap. Expected: the same",
    ),
}


@pytest.mark.parametrize(("fields", "told"), BAD.values(), ids=BAD)
def test_what_makes_no_sense_for_boxes_is_refused(fields: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError, match=f"Received: .*{told}|{told}") as caught:
        plan(fields)
    assert "\n" not in str(caught.value)
    assert "Expected" in str(caught.value)


@pytest.mark.parametrize("fields", [YOLO, FCOS, {**YOLO, "monitor": "val_ap50"}])
def test_what_is_for_boxes_is_taken(fields: dict[str, Any]) -> None:
    assert plan(fields).predicts == "boxes"


def test_one_set_of_options_serves_all_metrics() -> None:
    options = {"least_score": 0.1}
    both = {"ap50": options, "ap": dict(options)}
    assert plan({**YOLO, "metric": ("ap50", "ap"), "metric_option": both}).predicts == "boxes"
