"""Exports that cannot be made, and a piece of the one line that tells so."""

from __future__ import annotations

from pathlib import Path

from ddl.data.preprocessing import Preprocessing
from tests.scripts.spoiled import (
    PICTURES,
    Row,
    checkpoint,
    file,
    folder,
    h5,
    npz,
    run,
    strange_model,
    then,
)

HOW = Preprocessing(target="mask", channels=3, classes=1, side_multiple=16)


def looks_good(here: Path) -> None:
    """Make a run that is good as far as one can see without Keras."""
    checkpoint(here)
    strange_model(here / "run" / "model.keras")
    (here / "run" / "preprocessing.json").write_text(HOW.to_json())


EXPORT = [
    Row("export", "The following arguments are required: model, output"),
    Row("export run a.txt", "output=a.txt. Expected: a name that ends in .xml (openvino), "),
    Row("export run a.xml --format onnx", "a.xml for onnx. Expected: a name that ends in .onnx"),
    Row("export run a.onnx --precision f16", "'f16' for onnx. Expected one of: f32, int8."),
    Row("export run a.xml --precision f64", "precision='f64'. Expected one of: f32, f16, int8."),
    Row("export run none/a.xml", "a place in a folder that exists and can be written"),
    Row("export run a.xml", "output=a.xml, and a.bin exists", file("a.bin")),
    Row("export run a.xml --tolerance -1", "tolerance=-1.0 for export. Expected: at least 0"),
    Row("export run a.xml --check-samples 0", "check_samples=0 for export"),
    Row("export run a.xml --calibration-samples 9", "calibration for precision=f32"),
    Row("export nowhere a.xml", "nowhere, which does not exist"),
    Row("export run a.xml", "run, which has no model.keras", run()),
    Row("export a.h5 a.xml", "a.h5 without a.preprocessing.json beside it", h5(image=PICTURES)),
    Row("export run a.xml --check-data none", "none, which does not exist", looks_good),
    Row(
        "export run a.xml --check-data in",
        "in, which holds no pictures",
        then(looks_good, folder("in")),
    ),
    Row(
        "export run a.xml",
        "a.preprocessing.json belongs to another model or to another --fold-preprocessing. Expected: a new name.",
        then(looks_good, file("a.preprocessing.json")),
    ),
    Row("benchmark_inference", "The following arguments are required: model"),
    Row("benchmark_inference run --rounds 0", "rounds=0 for benchmark. Expected: at least 1"),
    Row("benchmark_inference run --size 4", "size=(4, 4) for benchmark. Expected: at least 8"),
    Row(
        "benchmark_inference run --output a.json",
        "output=a.json. Expected: a file that ends in .md",
    ),
    Row(
        "predict a.xml in out",
        "a.xml without a.preprocessing.json beside it",
        file("a.xml"),
    ),
    Row(
        "predict run in out --inference-precision bf16",
        "inference_precision='bf16' for backend keras. Expected: f32.",
        looks_good,
    ),
    Row(
        "evaluate run --inference-precision f8",
        "inference_precision='f8'. Expected one of: f32, bf16.",
    ),
    Row(
        "benchmark_inference run --size 33x64", "size=33x64. Expected: multiples of 16", looks_good
    ),
    Row(
        "export run a.xml --check-data a.npz",
        "samples of 16x16x1 from a.npz. Expected: 2 axes and 3 channels",
        then(looks_good, npz(images=PICTURES[..., :1], masks=PICTURES[..., :1])),
    ),
]

EXPORTED = [Row("export run a.onnx", "run/model.keras, which Keras cannot load", looks_good)]
