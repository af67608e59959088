"""A detector from COCO files to a run, to predicted boxes, to figures and to an export, as a user starts them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ddl.data.preparation.example import Example, write_example
from tests.scripts.in_process import Outcome, call

TINY = (
    *("--model", "yolo_small", "--model-option", "width=2", "--image-size", "64", "--epochs", "1"),
    *("--per-rank-batch-size", "8", "--jit", "false", "--tensorboard", "false"),
    *("--data-option", "channels=grey", "--validation-part", "0.5"),
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a working directory with pictures and their boxes, and the run that they gave."""
    folder = tmp_path_factory.mktemp("detection")
    write_example(Example(folder / "scenes", kind="boxes", count=16, size=64))
    outcome = call("train_detector", "--run-dir", "run", "--data", "scenes", *TINY, folder=folder)
    assert outcome.status == 0, outcome.told
    return folder


def predict(folder: Path, pictures: object, output: str, *flags: str) -> Outcome:
    return call("predict", "run", pictures, output, "--threshold", "0.001", *flags, folder=folder)


def found(folder: Path, output: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((folder / output / "detections.json").read_text())
    return document


def test_a_run_knows_how_its_output_is_read(folder: Path) -> None:
    how = json.loads((folder / "run" / "preprocessing.json").read_text())
    assert (how["target"], how["classes"], how["fit"]) == ("boxes", 3, "letterbox")
    assert how["class_names"] == ["disk", "ring", "rod"]
    assert [level["stride"] for level in how["layout"]["levels"]] == [8, 16]
    assert (folder / "run" / "samples.png").is_file()


def test_boxes_are_written_as_coco_and_drawn(folder: Path) -> None:
    outcome = predict(folder, "scenes/images", "found", "--overlay")
    assert outcome.status == 0, outcome.told
    document = found(folder, "found")
    assert [image["file_name"] for image in document["images"]] == sorted(
        path.name for path in (folder / "scenes" / "images").iterdir()
    )
    assert [one["name"] for one in document["categories"]] == ["disk", "ring", "rod"]
    ids = {image["id"] for image in document["images"]}
    for box in document["annotations"]:
        left, top, width, height = box["bbox"]
        assert box["image_id"] in ids
        assert min(left, top) >= 0
        assert max(left + width, top + height) <= 64 + 1e-4
        assert 0.001 <= box["score"] <= 1
    overlays = [*(folder / "found").glob("*.overlay.png")]
    assert len(overlays) == len(ids)
    assert not (folder / "found" / ".parts").exists()


def test_pycocotools_reads_it(folder: Path) -> None:
    coco = pytest.importorskip("pycocotools.coco")
    predict(folder, "scenes/images", "read")
    known = coco.COCO(str(folder / "read" / "detections.json"))
    results = known.loadRes(found(folder, "read")["annotations"])
    assert len(results.getImgIds()) == len(known.getImgIds()) == 16


def test_a_large_picture_is_cut_into_tiles(folder: Path) -> None:
    rng = np.random.default_rng(0)
    Image.fromarray(rng.integers(0, 255, (150, 200), np.uint8)).save(folder / "large.png")
    flags = ("--scale", "native", "--tile", "64", "--overlap", "32")
    assert predict(folder, "large.png", "tiled", *flags).status == 0
    document = found(folder, "tiled")
    (image,) = document["images"]
    assert (image["width"], image["height"]) == (200, 150)
    rights = [box["bbox"][0] + box["bbox"][2] for box in document["annotations"]]
    assert max(rights) > 128
    assert max(rights) <= 200 + 1e-4


def test_a_second_call_predicts_nothing_again(folder: Path) -> None:
    predict(folder, "scenes/images", "twice")
    before = (folder / "twice" / "detections.json").read_bytes()
    assert predict(folder, "scenes/images", "twice").status == 0
    assert (folder / "twice" / "detections.json").read_bytes() == before


def test_the_figures_are_those_of_the_history(folder: Path) -> None:
    flags = ("--per-picture", "each.csv", "--worst", "3", "--worst-sheet", "worst.png")
    outcome = call("evaluate", "run", *flags, folder=folder)
    assert outcome.status == 0, outcome.told
    figures = json.loads(outcome.printed)
    (epoch,) = map(json.loads, (folder / "run" / "history.jsonl").read_text().splitlines())
    assert figures["ap50"] == pytest.approx(epoch["val_ap50"], abs=1e-6)
    assert set(figures["by_class"]) == {"disk", "ring", "rod"}
    lines = (folder / "each.csv").read_text().splitlines()
    assert lines[0] == "name,true,found,ap50"
    assert len(lines) == 1 + figures["samples"]
    assert (folder / "worst.png").is_file()


@pytest.mark.parametrize(
    ("flags", "line"),
    [
        (("--format", "tiff"), "format for a model that finds boxes"),
        (("--probabilities",), "probabilities for a model that finds boxes"),
        (("--tta", "flips"), "tta for a model that finds boxes"),
        (("--tile", "32"), "tile=32 for a model trained on pictures resized to 64x64"),
        (("--most-overlap", "2"), "most_overlap=2"),
    ],
)
def test_what_does_not_apply_to_boxes_is_refused(
    folder: Path, flags: tuple[str, ...], line: str
) -> None:
    outcome = predict(folder, "scenes/images", "refused", *flags)
    assert outcome.status == 2
    assert line in outcome.told
    assert not (folder / "refused").exists()


@pytest.mark.parametrize("flags", [("--by", "class"), ("--tile", "32"), ("--occlusion", "2")])
def test_evaluate_refuses_what_is_not_for_boxes(folder: Path, flags: tuple[str, ...]) -> None:
    outcome = call("evaluate", "run", *flags, folder=folder)
    assert outcome.status == 2
    assert "for a model that finds boxes" in outcome.told


@pytest.mark.parametrize(
    ("flags", "line"),
    [
        (("--loss", "fcos"), "loss=fcos for model yolo_small"),
        (("--metric", "dice"), "metric=dice for model yolo_small, which finds boxes"),
        (("--class-weight", "balanced"), "class_weight=balanced for model yolo_small"),
        (("--augment", "crop_size=32"), "augment crop_size"),
        (("--model-option", "anchors=8,8,12"), "anchors=8,8,12"),
        (("--monitor", "ap50"), "monitor"),
        (("--model", "unet", "--model-option", "width=2"), "finds no boxes"),
        (("--metric", "ap50", "--validation-part", "0"), "metric=ap50 without validation"),
        (("--image-size", "40"), "sides that 16 divides"),
    ],
)
def test_a_training_that_cannot_be_is_refused(
    folder: Path, flags: tuple[str, ...], line: str
) -> None:
    kept = [pair for pair in zip(TINY[::2], TINY[1::2], strict=True) if pair[0] not in flags]
    words = [word for pair in kept for word in pair]
    outcome = call(
        "train_detector", "--run-dir", "bad", "--data", "scenes", *words, *flags, folder=folder
    )
    assert outcome.status == 2
    assert line in outcome.told, outcome.told
    assert not (folder / "bad").exists()


@pytest.mark.parametrize(
    "name",
    [
        "boxes.onnx",
        *(pytest.param(f"boxes.{s}", marks=pytest.mark.proof) for s in ("xml", "tflite")),
    ],
)
def test_an_export_finds_the_same_boxes(folder: Path, name: str) -> None:
    outcome = call("export", "run", name, "--check-samples", "4", folder=folder)
    assert outcome.status == 0, outcome.told
    assert "ap50 against Keras" in outcome.told + outcome.printed
    predicted = call(
        "predict", name, "scenes/images", f"by-{name}", "--threshold", "0.001", folder=folder
    )
    assert predicted.status == 0, predicted.told
    predict(folder, "scenes/images", "by-keras")
    first, second = (found(folder, output)["annotations"] for output in ("by-keras", f"by-{name}"))
    assert len(first) == len(second)
