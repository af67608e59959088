"""A checked config as JSON with all its values: what we print, we also read. And where each value came from."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ddl.config.json_run.checking.settings import Settings
from ddl.config.json_run.grammar import NETWORK
from ddl.config.json_run.keys.key import Key, Section
from ddl.config.json_run.keys.run import LAYERS, ROOT

_ONLY_IN_TRAINING = ("num_epochs", "data.batch_size", "debug")
_WIDTH = 200
_ONLY_IN_TESTS = ("data.test_batch_size",)
_OF_GRAYSCALE = ("data.input_grayscale", "data.target_grayscale")


def config_text(settings: Settings, run_dir: Path | None = None) -> str:
    """Return the config with every value that has a meaning, defaults included, in the table's order.

    Read again, it gives the same plan, and the same text.

    Args:
        settings: the values of the config.
        run_dir: the run directory, of which the next free one is taken.
    """
    values = _object(settings, ROOT, "")
    if run_dir is not None:
        values["ddl"] = {**values.get("ddl", {}), "run_dir": str(run_dir)}
    return json.dumps({NETWORK: values}, indent=4, ensure_ascii=False, default=str) + "\n"


def _object(settings: Settings, section: Section, path: str) -> dict[str, Any]:
    values: dict[str, Any] = {}
    deciding = _deciding(settings, section)
    for key in section.keys:
        inner = f"{path}.{key.name}" if path else key.name
        if key.name == "layers":
            if settings.has_layers:
                values["layers"] = _layers(settings)
        elif key.name == "ddl":
            own = {
                p.removeprefix("ddl."): v for p, v in settings.given.items() if p.startswith("ddl.")
            }
            if own:
                values["ddl"] = own
        elif key.kind == "object" and key.section is not None:
            if settings.has(inner):
                values[key.name] = _object(settings, key.section, inner)
        elif key.has_meaning(deciding) and _is_shown(settings, inner, key):
            values[key.name] = _plain(settings[inner], key)
    return values


def _deciding(settings: Settings, section: Section) -> str | None:
    if section.path == "data":
        return settings.input_type
    return settings[section.path_of(section.decides)] if section.decides else None


def _is_shown(settings: Settings, path: str, key: Key) -> bool:
    """Return whether a key is printed: given, or with a default that has a meaning in this run."""
    if settings.has(path):
        return True
    if settings[path] is None or key.idle:
        return False
    if path in _OF_GRAYSCALE and settings["data.grayscale"]:
        return False  # false beside it would contradict it
    if path in _ONLY_IN_TESTS:
        return not settings.trains
    needs = {"checkpoints.interval": "checkpoints.save", "data.hdf5_precision": "data.hdf5_outfile"}
    return (settings.trains or path not in _ONLY_IN_TRAINING) and (
        path not in needs or settings.has(needs[path])
    )


def _layers(settings: Settings) -> Any:
    """Return the network's path, with settings of ours if there are any."""
    own = {
        key.name: settings[f"layers.{key.name}"]
        for key in LAYERS.keys
        if settings[f"layers.{key.name}"] not in (None, key.default)
    }
    return next(iter(own.values())) if len(own) == 1 else own


def _plain(value: Any, key: Key) -> Any:
    """Return a value as JSON has it."""
    if key.kind == "objects" and key.section is not None:
        return [_item(item, key.section) for item in value]
    return list(value) if isinstance(value, tuple) else value


def _item(item: Mapping[str, Any], section: Section) -> dict[str, Any]:
    """Return an object in a list, with the defaults of its keys."""
    values = {}
    for key in section.keys:
        value = item[key.name]
        if value is None and not section.is_single:
            value = key.default
        if isinstance(value, Mapping) and key.section is not None:
            value = _item(value, key.section)
        if value is not None:
            values[key.name] = _plain(value, key)
    return values


def origin_lines(settings: Settings) -> Iterator[str]:
    """Yield where each given value came from; all others are defaults."""
    for path, value in settings.given.items():
        text = json.dumps(value, ensure_ascii=False, default=str)
        text = text if len(text) <= _WIDTH else f"{text[: _WIDTH - 3]}..."
        yield f"{path} = {text} ({settings.place(path)})"
    yield "all other values are defaults"
