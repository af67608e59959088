"""Names of results, derived from those of pictures, are checked before work starts."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ddl.data.preprocessing import Preprocessing
from ddl.files import check_distinct
from ddl.inference.inspection.inspection import Inspection
from ddl.inference.output_folder import FILES, disk_error
from ddl.inference.prediction.inputs import Item, find_items
from ddl.inference.prediction.prediction import Prediction
from ddl.inference.prediction.result_names import check_result_names, ignores_case


def items(*names: str) -> list[Item]:
    return [
        Item(name, f"in/{name}.png", lambda: contextlib.nullcontext(np.zeros(1)), is_file=True)
        for name in names
    ]


def check(*names: str, ignores: bool = False, **options: Any) -> None:
    prediction = Prediction(Path("model"), Path("in"), Path("out"), **options)
    check_result_names(prediction, items(*names), FILES, ignores_case=ignores)


CLASHES: dict[str, tuple[tuple[str, ...], dict[str, Any]]] = {
    "x.png and x.overlay.png": (("x", "x.overlay"), {"overlay": True}),
    "x and x.probabilities": (("x", "x.probabilities"), {"probabilities": True, "format": "npy"}),
    "a picture below another": (("x", "x.png/y"), {}),
    "the same twice": (("x", "x"), {}),
    "in a folder": (("a/x.overlay", "a/x"), {"overlay": True}),
}


@pytest.mark.parametrize("case", CLASHES)
def test_two_results_of_one_name_are_refused_before_work_starts(case: str) -> None:
    names, options = CLASHES[case]
    with pytest.raises(ValueError, match=r"^Received: in/.* which would both write .* Expected: "):
        check(*names, **options)


def test_overlay_and_probabilities_clash_only_where_they_are_written() -> None:
    check("x", "x.overlay")
    check("x", "x.overlay", overlay=True, format="npy")
    check("x", "x.probabilities", probabilities=True)
    check("x", "x.probabilities", probabilities=True, format="hdf5")
    check("a/x", "b/x", "x", "x.y", overlay=True, probabilities=True)


@pytest.mark.parametrize("names", [("x", "X"), ("stra\u00dfe", "STRASSE"), ("e\u0301", "\u00e9")])
def test_names_that_one_disk_takes_for_one_are_refused_on_such_a_disk(
    names: tuple[str, str],
) -> None:
    check(*names)
    with pytest.raises(ValueError, match="which would both write"):
        check(*names, ignores=True)
    with pytest.raises(ValueError, match="which would both write"):
        check("A/x", "a/X.overlay", ignores=True, overlay=True)


def test_a_disk_that_ignores_case_is_found_by_a_file_on_it(tmp_path: Path) -> None:
    record = tmp_path / "predict.json"
    record.write_text("{}")
    assert not ignores_case(record)
    (tmp_path / "PREDICT.JSON").symlink_to(record)  # what such a disk would find
    assert ignores_case(record)


def test_a_picture_name_of_253_bytes_is_refused_where_its_result_has_no_room() -> None:
    check("x" * 251)
    check("x" * 238, overlay=True)
    for length, options in ((253, {}), (250, {"overlay": True}), (240, {"probabilities": True})):
        with pytest.raises(ValueError, match=r"name of 2\d\d bytes. Expected: at most 255; rename"):
            check("\u00e9" * (length // 2) + "x" * (length % 2), **options)
    error = disk_error(Path("out"), OSError(36, "File name too long"))
    assert "a name is too long. Rename the picture" in str(error)


def test_pictures_of_a_folder_with_derived_names_are_refused(tmp_path: Path) -> None:
    for name in ("x.png", "x.overlay.png"):
        (tmp_path / name).write_bytes(b"")
    found = find_items(tmp_path, Preprocessing(target="mask", channels=3, classes=1), 10**6)
    prediction = Prediction(Path("model"), tmp_path, Path("out"), overlay=True)
    with pytest.raises(
        ValueError, match=r"x\.overlay\.png and .*x\.png, which would both write x\.o"
    ):
        check_result_names(prediction, found, FILES, ignores_case=False)


def test_outputs_of_an_evaluation_are_different_files(tmp_path: Path) -> None:
    one = tmp_path / "a.csv"
    with pytest.raises(ValueError, match="Received: per_picture and confusion, which are both"):
        Inspection(tmp_path, per_picture=one, confusion=tmp_path / "." / "a.csv")
    with pytest.raises(ValueError, match="Received: one and two, which are both"):
        check_distinct({"one": one, "none": None, "two": tmp_path / "A.CSV"})


@pytest.mark.parametrize(
    ("setting", "name"),
    [
        *(("output", "plan.json"), ("output", "facts.json"), ("per_picture", "history.csv")),
        *(("confusion", "log.txt"), ("worst_sheet", "curves.png")),
    ],
)
def test_an_evaluation_replaces_no_file_of_a_run(tmp_path: Path, setting: str, name: str) -> None:
    (tmp_path / "plan.json").write_text("{}")
    with pytest.raises(ValueError, match=f"Received: {setting}=.*{name}, which is a file of a run"):
        Inspection(tmp_path, worst=1, **{setting: tmp_path / name})
    other = (tmp_path / name).with_stem("evaluation")
    Inspection(tmp_path, worst=1, **{setting: other})
    (tmp_path / "plan.json").unlink()
    Inspection(tmp_path, worst=1, **{setting: tmp_path / name})  # no run
