"""The list of models with their sizes, read from a table that is made once: no model is built. No TensorFlow."""

from __future__ import annotations

import csv
import dataclasses
import fnmatch
import functools
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ddl.models.adversarial.listing import listed_parts
from ddl.models.aliases import ALIASES
from ddl.models.detectors.layouts import is_detector
from ddl.models.network.file import summarize
from ddl.models.network.kinds.shapes import by
from ddl.models.published import PUBLISHED
from ddl.ranges import did_you_mean

NUMBERS = Path(__file__).with_name("zoo_numbers.json")
"""A line for each model, made by `python -m tests.models.make_zoo`."""

_SMALL_PICTURES = ("vgg1", "vgg2", "vgg3", "densenet40")
_SMALL_RESNETS = tuple(f"resnet{depth}" for depth in (20, 32, 44, 56, 110, 1202))


@dataclass(frozen=True)
class Listed:
    """A model at the size that it is published for.

    Attributes:
        name: its name.
        input_shape: (height, width, channels).
        classes: number of classes.
        parameters: as Keras's `count_params()`, moving statistics included.
        trainable: those that training changes.
        multiply_adds: of one picture, forward; None where a side of a network file is open.
        target: "label" (a class per picture), "mask" (a class per pixel) or "boxes".
    """

    name: str
    input_shape: tuple[int | None, ...]
    classes: int
    parameters: int
    trainable: int
    multiply_adds: int | None
    target: str


def own_size(name: str) -> tuple[tuple[int, int, int], int]:
    """Return the input shape and the number of classes that a model is published for."""
    if name.startswith("unet"):
        return (256, 256, 3), 1
    if is_detector(name):
        return ((416, 416, 3), 80) if name == "yolov3" else ((96, 96, 3), 3)
    if name in ("cnn", "simplecnn", "mlp"):
        return (28, 28, 1), 10
    if name in _SMALL_PICTURES or name in _SMALL_RESNETS:
        return (32, 32, 3), 10
    side = 227 if name == "alexnet" else PUBLISHED[name].size if name in PUBLISHED else 224
    return (side, side, 3), 1000


@functools.cache
def listed_models() -> dict[str, Listed]:
    """Return every built-in model by name."""
    values = [json.loads(line) for line in NUMBERS.read_text(encoding="utf-8").splitlines()]
    rows = [Listed(**{**row, "input_shape": tuple(row["input_shape"])}) for row in values]
    return {row.name: row for row in rows}


def find_models(like: Sequence[str]) -> list[Listed]:
    """Return the models whose names match one of the patterns, such as "vgg*"; all of them without patterns.

    Raises:
        ValueError: a pattern matches none.
    """
    found = listed_models()
    for pattern in like:
        if not fnmatch.filter(found, pattern):
            raise ValueError(
                f'Received: like={pattern!r}. Expected: a name or a pattern, such as "vgg*", that fits one of: '
                f"{', '.join(found)}.{did_you_mean(pattern, found)}"
            )
    fits = [name for name in found if any(fnmatch.fnmatchcase(name, p) for p in like)]
    return [found[name] for name in (fits if like else found)]


def listed_networks(files: Sequence[Path]) -> list[Listed]:
    """Return the networks in files, by the names of the files.

    Raises:
        ValueError: one of them cannot be built; the message names the file and the layer.
    """
    rows = []
    for file in files:
        told = summarize({"file": str(file)})
        numbers = (told.parameters, told.trainable, told.multiply_adds)
        rows.append(Listed(str(file), told.input_shape, told.classes, *numbers, told.target))
    return rows


def layers_as_table(file: Path) -> str:
    """Return a line for each layer of a network file, and its remarks."""
    told = summarize({"file": str(file)})
    head = ("layer", "kind", "output shape", "parameters", "trainable", "multiply-adds")
    rows = [
        (
            layer.node.name,
            layer.node.kind,
            by(layer.shape),
            *(_count(number) for number in (layer.parameters, layer.trainable)),
            _count(layer.multiply_adds),
        )
        for layer in told.layers
    ]
    notes = "".join(f"{note}\n" for note in told.notes)
    return aligned([head, *rows], numbers=range(3, 6)) + notes


def as_json(models: Sequence[Listed]) -> str:
    """Return a list of objects, one a line."""
    lines = [f"  {json.dumps(dataclasses.asdict(model))}" for model in models]
    return "[\n" + ",\n".join(lines) + "\n]\n"


def as_csv(models: Sequence[Listed]) -> str:
    """Return a line for each model, input shapes as 224x224x3."""
    names = [field.name for field in dataclasses.fields(Listed)]
    text = io.StringIO()
    writer = csv.DictWriter(text, names, lineterminator="\n")
    writer.writeheader()
    for model in models:
        writer.writerow({**dataclasses.asdict(model), "input_shape": _sides(model)})
    return text.getvalue()


def as_table(models: Sequence[Listed]) -> str:
    """Return an aligned table for people."""
    head = ("name", "input", "classes", "parameters", "trainable", "multiply-adds", "target")
    return aligned([head, *(_cells(model) for model in models)], numbers=range(2, 6))


def gans_table() -> str:
    """Return an aligned table of the networks of GANs; parameters are those for pictures of 32x32x3."""
    head = ("role", "name", "options", "parameters")
    rows = [
        (row.role, row.name, " ".join(row.options), _count(row.parameters))
        for row in listed_parts()
    ]
    return aligned([head, *rows], numbers=(3,))


def aliases_table() -> str:
    """Return an aligned table of the names of the PyDTNN launcher's zoo, and what they stand for."""
    head = ("alias", "model", "options", "note")
    rows = [
        (name, alias.model, _options(alias.options), alias.note) for name, alias in ALIASES.items()
    ]
    return aligned([head, *rows], numbers=())


def aligned(rows: Sequence[Sequence[str]], numbers: Sequence[int]) -> str:
    """Return the rows in columns, those in `numbers` to the right."""
    widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = [
            cell.rjust(width) if at in numbers else cell.ljust(width)
            for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines) + "\n"


def _cells(model: Listed) -> tuple[str, ...]:
    counts = (model.parameters, model.trainable, model.multiply_adds)
    numbers = [str(model.classes), *map(_count, counts)]
    return (model.name, _sides(model), *numbers, model.target)


def _count(number: int | None) -> str:
    return "unknown" if number is None else f"{number:,}"


def _sides(model: Listed) -> str:
    return by(model.input_shape)


def _options(options: Any) -> str:
    """Return options as the command line takes them: small_input=true dropout=0.2,0.3."""
    return " ".join(f"{name}={_written(value)}" for name, value in options.items())


def _written(value: Any) -> str:
    if isinstance(value, tuple):
        return ",".join(map(str, value))
    return str(value).lower() if isinstance(value, bool) else str(value)
