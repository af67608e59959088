"""The one table of formats that models are exported to. Adding a format is one file and one line.

No TensorFlow here.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ddl.inference.backends.optional_packages import check_packages
from ddl.inference.trained_model import OPENVINO, SAVED_MODEL
from ddl.ranges import check_choice

if TYPE_CHECKING:
    import keras

    from ddl.export.formats.calibration import Calibration

    Writer = Callable[["keras.Model", Path, str, Calibration], None]


@dataclass(frozen=True)
class Format:
    """A kind of exported model.

    Attributes:
        module: holds `write(model, path, precision, calibration)`, and imports what it needs by itself.
        suffix: of the model's file or folder.
        precisions: that it can have.
        packages: that writing and checking it need beside ddl's own.
        int8_packages: that int8 needs, too.
    """

    module: str
    suffix: str
    precisions: tuple[str, ...]
    packages: tuple[str, ...] = ()
    int8_packages: tuple[str, ...] = ()

    def writer(self) -> Writer:
        """Return what writes it. Loads what it needs."""
        write: Writer = importlib.import_module(self.module).write
        return write


FORMATS: dict[str, Format] = {
    "openvino": Format(
        "ddl.export.formats.openvino_format",
        OPENVINO,
        ("f32", "f16", "int8"),
        ("openvino",),
        ("nncf",),
    ),
    "savedmodel": Format("ddl.export.formats.savedmodel_format", SAVED_MODEL, ("f32",)),
    "onnx": Format(
        "ddl.export.formats.onnx_format",
        ".onnx",
        ("f32", "int8"),
        ("tf2onnx", "onnx", "onnxruntime"),
    ),
    "tflite": Format("ddl.export.formats.tflite_format", ".tflite", ("f32", "f16", "int8")),
}


def find_format(output: Path, name: str | None, precision: str) -> str:
    """Return the name of the format, by the output's suffix where it is not told.

    Raises:
        ValueError: there is none, it lacks the precision, or a package for it is missing.
    """
    if name is None:
        by_suffix = {one.suffix: key for key, one in FORMATS.items()}
        name = by_suffix.get(output.suffix.lower())
    if name is None:
        endings = ", ".join(f"{one.suffix} ({key})" for key, one in FORMATS.items())
        raise ValueError(f"Received: output={output}. Expected: a name that ends in {endings}.")
    check_choice("format", name, FORMATS)
    form = FORMATS[name]
    if output.suffix != form.suffix:
        raise ValueError(
            f"Received: output={output} for {name}. Expected: a name that ends in {form.suffix}."
        )
    check_choice("precision", precision, form.precisions, name)
    needed = form.packages + (form.int8_packages if precision == "int8" else ())
    check_packages(needed, f"format={name} in {precision}")
    return name
