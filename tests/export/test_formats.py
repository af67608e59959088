"""Unsupported exports are refused before anything is loaded."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest

from ddl.export.export import TOLERANCES, Export
from ddl.export.formats.format_table import FORMATS, find_format
from ddl.inference.backends import optional_packages
from ddl.inference.backends.predictor import BACKENDS, check_backend


def test_the_suffix_of_the_output_decides_the_format() -> None:
    for name, form in FORMATS.items():
        output = Path(f"cells{form.suffix}")
        assert find_format(output, None, "f32") == name
        assert check_backend(output) in BACKENDS  # every format that is written can be read


@pytest.mark.parametrize(
    ("output", "name", "precision", "words"),
    [
        (
            "cells.txt",
            None,
            "f32",
            "output=cells.txt. Expected: a name that ends in .xml (openvino)",
        ),
        ("cells.xml", "torch", "f32", "format='torch'. Expected one of: openvino"),
        ("cells.xml", "onnx", "f32", "cells.xml for onnx. Expected: a name that ends in .onnx"),
        ("cells.onnx", None, "f16", "'f16' for onnx. Expected one of: f32, int8."),
        ("c.savedmodel", None, "int8", "'int8' for savedmodel. Expected one of: f32."),
    ],
)
def test_unsupported_combinations_of_format_and_precision_are_refused(
    output, name, precision, words
) -> None:
    with pytest.raises(ValueError, match=re.escape(words)):
        find_format(Path(output), name, precision)


def test_a_missing_package_gets_one_line_with_the_install_command(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    known = importlib.util.find_spec
    monkeypatch.setattr(
        optional_packages.importlib.util,
        "find_spec",
        lambda name: None if name == "nncf" else known(name),
    )
    assert find_format(Path("a.xml"), None, "f16") == "openvino"  # f16 does not need it
    expected = (
        "in int8, which needs the package nncf. Expected: nncf installed; run ./setup.sh --extras"
    )
    with pytest.raises(ValueError, match=re.escape(expected)):
        find_format(Path("a.xml"), None, "int8")


def test_existing_files_are_not_replaced(tmp_path: Path) -> None:
    for name in ("a.bin", "b.onnx"):
        (tmp_path / name).touch()
    for name in ("a.xml", "b.onnx"):
        with pytest.raises(ValueError, match=r"exists\. Expected: a new name"):
            Export(tmp_path, tmp_path / name)
    assert Export(tmp_path, tmp_path / "a.onnx").allowed == TOLERANCES["f32"]
    assert Export(tmp_path, tmp_path / "c.xml", tolerance=0.5).allowed == 0.5
