"""A JSON Schema (2020-12) of configs, for editors: what a schema can say of the table."""

from __future__ import annotations

import json
import math
from typing import Any

from ddl.config.json_run.checking.own_fields import own_fields
from ddl.config.json_run.grammar import NETWORK
from ddl.config.json_run.keys.key import Key, Section
from ddl.config.json_run.keys.run import ROOT
from ddl.ranges import Range

DIALECT = "https://json-schema.org/draft/2020-12/schema"

_TYPES: dict[str, dict[str, Any]] = {
    "text": {"type": "string", "minLength": 1},
    "path": {"type": "string", "minLength": 1},
    "name": {"type": "string", "minLength": 1},
    "int": {"type": "integer"},
    "float": {"type": "number"},
    "bool": {"type": "boolean"},
    "options": {"type": "object"},
}
_TYPES_OF_FIELDS: dict[str, dict[str, Any]] = {
    "int": {"type": "integer"},
    "float": {"type": "number"},
    "bool": {"type": "boolean"},
    "str": {"type": "string"},
    "Path": {"type": "string"},
    "tuple[str, ...]": {"type": "array", "items": {"type": "string"}},
    "tuple[int, ...]": {"type": "array", "items": {"type": "integer"}},
}


def schema_text() -> str:
    """Return the schema as JSON."""
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"


def schema() -> dict[str, Any]:
    """Return the schema of a config."""
    return {
        "$schema": DIALECT,
        "title": "A run of ddl",
        "type": "object",
        "properties": {NETWORK: _object(ROOT)},
        "required": [NETWORK],
        "additionalProperties": False,
    }


def _object(section: Section) -> dict[str, Any]:
    """Return the schema of an object."""
    if section.path == "ddl":
        return _own_object(section)
    properties: dict[str, Any] = {}
    for key in section.keys:
        for spelling in (key.name, *key.also):
            properties[spelling] = _key(key)
    found: dict[str, Any] = {
        "type": "object",
        "description": section.help,
        "properties": properties,
        "additionalProperties": False,
    }
    required = [key.name for key in section.keys if key.needed and not key.only]
    if required:
        found["required"] = required
    if section.is_single:
        found |= {"minProperties": 1, "maxProperties": 1}
    rules = [*_rules(section), *_rules_of_spellings(section)]
    if section is ROOT:
        networks = [["layers"], ["generator", "discriminator"], ["detector"]]
        rules.append({"oneOf": [{"required": names} for names in networks]})
    if section.path == "data.slicers":
        rules.append({"not": {"required": ["padding", "padded_sizes"]}})
    return found | ({"allOf": rules} if rules else {})


def _rules(section: Section) -> list[dict[str, Any]]:
    """Return rules on keys that have a meaning, or are needed, only with some values of the deciding key."""
    if not section.decides or section.path == "data":
        return _rules_of_data() if section.path == "data" else []
    rules = []
    decider = section.find(section.decides)
    for key in section.keys:
        if not key.only or decider is None:
            continue
        fits = {"properties": {decider.name: _names(key.only)}}
        rules += [
            {"if": {"required": [spelling]}, "then": fits} for spelling in (key.name, *key.also)
        ]
        if key.needed:
            given = {**fits, "required": [decider.name]}
            rules.append({"if": given, "then": {"required": [key.name]}})
    return rules


def _rules_of_data() -> list[dict[str, Any]]:
    return [
        {"anyOf": [{"required": ["type"]}, {"required": ["input_type", "target_type"]}]},
        {
            "dependentRequired": {
                "target_path": ["input_path"],
                "test_target_path": ["test_input_path"],
            }
        },
        {"dependentRequired": {"hdf5_precision": ["hdf5_outfile"], "hdf5_outfile": ["slicers"]}},
    ]


def _rules_of_spellings(section: Section) -> list[dict[str, Any]]:
    """Return rules that no key is given in two spellings."""
    return [{"not": {"required": [key.name, other]}} for key in section.keys for other in key.also]


def _key(key: Key) -> dict[str, Any]:
    """Return the schema of a key's value."""
    found = _value(key)
    if key.help:
        found = {"description": key.help, **found}
    if key.default is not None:
        found["default"] = key.default
    return found


def _value(key: Key) -> dict[str, Any]:
    if key.kind == "layers":
        return _layers(key)
    if key.kind == "object" and key.section is not None:
        return _object(key.section)
    if key.kind == "objects" and key.section is not None:
        return {"type": "array", "items": _object(key.section)}
    if key.choices:
        return _names(key.choices)
    if key.kind in ("ints", "floats", "texts"):
        return _numbers(key.kind.removesuffix("s"), key)
    return _number(key.kind, key)


def _number(kind: str, key: Key) -> dict[str, Any]:
    return _TYPES[kind] | (_limits(key.range) if key.range is not None else {})


def _numbers(kind: str, key: Key) -> dict[str, Any]:
    found = {"type": "array", "items": _number(kind, key), "minItems": 1}
    if key.length is not None:
        found |= {"minItems": key.length, "maxItems": key.length}
    return found


def _limits(limits: Range) -> dict[str, Any]:
    found = {}
    if math.isfinite(limits.low):
        found["exclusiveMinimum" if limits.above else "minimum"] = limits.low
    if math.isfinite(limits.high):
        found["exclusiveMaximum" if limits.below else "maximum"] = limits.high
    return found


def _names(names: tuple[str, ...]) -> dict[str, Any]:
    """Return the schema of names in any letters. Editors offer those of the enumeration."""
    return {
        "type": "string",
        "anyOf": [{"enum": list(names)}, {"pattern": f"^({'|'.join(map(_any_case, names))})$"}],
    }


def _any_case(name: str) -> str:
    return "".join(f"[{c.upper()}{c.lower()}]" if c.isalpha() else c for c in name)


def _layers(key: Key) -> dict[str, Any]:
    """Return the schema of a network: a path, layers, a whole document, or an object with settings of ours."""
    kinds: list[dict[str, Any]] = [
        {"type": "string", "minLength": 1},
        {"type": "array", "items": {"type": "object", "required": ["class_name"]}, "minItems": 1},
        {"type": "object", "required": ["class_name", "config"]},
    ]
    if key.section is not None:
        one = {"oneOf": [{"required": ["file"]}, {"required": ["layers"]}]}
        kinds.append(_object(key.section) | one)
    return {"anyOf": kinds}


def _own_object(section: Section) -> dict[str, Any]:
    properties = {}
    for name, field in own_fields().items():
        kind = str(field.type)
        plain = kind.removesuffix(" | None")
        found = _TYPES_OF_FIELDS.get(plain, {"type": "object"} if "Mapping" in plain else {})
        properties[name] = (
            found if plain == kind or not found else {"anyOf": [found, {"type": "null"}]}
        )
    if "jit" in properties:
        properties["jit"] = {"enum": ["auto", "true", "false", True, False]}
    properties["class_weight"] = {"type": ["string", "object"]}
    return {
        "type": "object",
        "description": section.help,
        "properties": properties,
        "additionalProperties": False,
    }
