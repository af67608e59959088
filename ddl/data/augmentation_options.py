"""An `Augmentation` from texts such as "flip=true" and "crop_size=64x96": what flags and JSON files can say."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any

from ddl.data.augmentation import Augmentation
from ddl.options import Option, convert_values, parse_options, parse_size

_OWNER = "augmentation"
_SIZE = "str | None"  # as far as ddl.options knows


def parse_augmentation(texts: Iterable[str]) -> Augmentation | None:
    """Return what the texts say together, or None if there are none.

    Raises:
        ValueError: an option is unknown (the message lists the known ones), given twice or out of range.
    """
    values = parse_options(texts, augmentation_options(), _OWNER)
    if not values:
        return None
    if values.get("crop_size") is not None:
        size = parse_size("crop_size", values["crop_size"])
        values["crop_size"] = size if len(size) > 1 else size[0]
    return Augmentation(**values)


def convert_augmentation(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return options from Python or JSON, each of its type.

    Raises:
        ValueError: an option is unknown, of another type or out of range.
    """
    kinds = {field.name: str(field.type) for field in dataclasses.fields(Augmentation)}
    options = augmentation_options()
    typed = {name: dataclasses.replace(options[name], type=kinds[name]) for name in options}
    converted = convert_values(values, typed, _OWNER)
    Augmentation(**converted)  # refuses what cannot be done to a picture
    return converted


def augmentation_options() -> dict[str, Option]:
    """Return the options by name, with their defaults and help."""
    lines = (Augmentation.__doc__ or "").partition("Attributes:")[2].strip().splitlines()
    helps = {name.strip(): text for name, _, text in (line.partition(": ") for line in lines)}
    return {
        field.name: Option(
            field.name,
            _SIZE if field.name == "crop_size" else str(field.type),
            field.default,
            helps[field.name],
        )
        for field in dataclasses.fields(Augmentation)
    }
