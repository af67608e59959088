"""The table of export formats. A new format is one file and one line here.

No TensorFlow here.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ddl.inference.backends.optional_packages import check_packages
from ddl.inference.trained_model import OPENVINO, SAVED_MODEL
from ddl.ranges import check_choice


@dataclass(frozen=True)
class Format:
    """An export format.

    Attributes:
        module: module with `write(model, path, precision, calibration)`; imported only when the format is used.
        suffix: suffix of the model's file or folder.
        precisions: supported precisions.
        packages: extra packages for writing and checking the format.
        int8_packages: more packages for int8.
    """

    module: str
    suffix: str
    precisions: tuple[str, ...]
    packages: tuple[str, ...] = ()
    int8_packages: tuple[str, ...] = ()


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
    """Return the format's name: the given one, or the one of the output's suffix.

    Raises:
        ValueError: unknown format, unsupported precision, or missing package.
    """
    if name is None:
        by_suffix = {form.suffix: key for key, form in FORMATS.items()}
        name = by_suffix.get(output.suffix.lower())
    if name is None:
        endings = ", ".join(f"{form.suffix} ({key})" for key, form in FORMATS.items())
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
