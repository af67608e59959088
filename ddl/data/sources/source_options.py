"""A format's options as texts such as "channels=grey": what flags and JSON files can say of a source."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ddl.data.sources import FORMATS, detect_format
from ddl.options import Option, convert_values, parse_options

_TYPES = {"Sequence[str] | None": "tuple[str, ...] | None", "Path | None": "str | None"}
# A training has words of its own for these.
_ELSEWHERE = ("path", "image_size", "size", "split", "fold")


def source_options(name: str) -> dict[str, Option]:
    """Return the options of a format: name -> type and default."""
    parameters = inspect.signature(FORMATS[name].open).parameters.values()
    return {
        one.name: Option(
            one.name, _TYPES.get(str(one.annotation), str(one.annotation)), one.default, ""
        )
        for one in parameters
        if one.name not in _ELSEWHERE
    }


def convert_source_options(name: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return options from Python or JSON, each of its type, as `open_source` takes them."""
    return convert_values(values, source_options(name), f"{name} data")


def parse_source_options(path: str | Path, texts: Iterable[str]) -> dict[str, Any]:
    """Return the options that texts give the format which a path looks like, as `open_source` takes them."""
    name = detect_format(Path(path))
    return parse_options(texts, source_options(name), f"{name} data")
