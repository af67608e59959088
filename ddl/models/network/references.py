"""What a layer of a file takes: the forms in which Keras 2, Keras 3 and people write it. No TensorFlow."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

_NEUTRAL: tuple[Any, ...] = (None, False, [], {}, "")


class BadReference(ValueError):
    """The inputs of a layer cannot be used; the message is what was received and what is expected."""


def references(inbound: Any) -> list[str]:
    """Return the names of the layers that a layer takes, [] for the one before it.

    Args:
        inbound: `inbound_nodes`: [[["conv", 0, 0, {}], ...]] of Keras 2, [{"args": [...], "kwargs": {...}}] of Keras 3,
            or names alone.

    Raises:
        BadReference: the layer is used more than once, takes another output than the first, or arguments.
    """
    if inbound in (None, [], {}, ""):
        return []
    if isinstance(inbound, str):
        return [inbound]
    if not isinstance(inbound, list):
        raise BadReference(f"inbound_nodes of type {type(inbound).__name__}; Expected: a list")
    if any(isinstance(item, dict) for item in inbound):
        return _of_keras_3(inbound)
    if _is_reference(inbound) or all(isinstance(item, str) for item in inbound):
        return _of_one_call(inbound)
    calls = [item for item in inbound if not _is_reference(item) and isinstance(item, list)]
    if not calls:  # [["a", 0, 0], ["b", 0, 0]]
        return _of_one_call(inbound)
    if len(inbound) > 1:
        raise BadReference(
            f"{len(inbound)} uses of it, a shared layer; Expected: one, with weights of its own"
        )
    return _of_one_call(calls[0])


def output_names(outputs: Any) -> list[str]:
    """Return the names in `output_layers` or `input_layers`, [] for none: ["out", 0, 0], or a list of such."""
    if outputs in (None, [], {}):
        return []
    if isinstance(outputs, dict):
        outputs = list(outputs.values())
    if isinstance(outputs, str) or _is_reference(outputs):
        return [_name(outputs)]
    return [_name(item) for item in outputs]


def _is_reference(value: Any) -> bool:
    """Return whether this is ["conv", 0, 0] or ["conv", 0, 0, {}]."""
    return (
        isinstance(value, list)
        and len(value) > 1
        and isinstance(value[0], str)
        and all(isinstance(item, int) and not isinstance(item, bool) for item in value[1:3])
        and not isinstance(value[1], str)
    )


def _of_one_call(call: list[Any]) -> list[str]:
    return [_name(call)] if _is_reference(call) else [_name(item) for item in call]


def _name(reference: Any) -> str:
    if isinstance(reference, str):
        return reference
    if isinstance(reference, list) and len(reference) == 1 and isinstance(reference[0], str):
        return reference[0]
    if not _is_reference(reference):
        raise BadReference(f"the input {reference!r}; Expected: a list like ['conv1', 0, 0, {{}}]")
    name, *rest = reference
    if any(rest[:2]):
        raise BadReference(
            f"node {rest[0]}, tensor {(rest[1:2] or [0])[0]} of {name}; Expected: node 0 and tensor 0, because "
            "layers are used once and have one output"
        )
    for arguments in rest[2:]:
        _check_arguments(arguments, name)
    return str(name)


def _check_arguments(arguments: Any, name: str) -> None:
    given = arguments if isinstance(arguments, dict) else {"arguments": arguments}
    for key, value in given.items():
        if not (value in _NEUTRAL or (isinstance(value, list) and not any(value))):
            raise BadReference(f"the argument {key}={value!r} in its call; Expected: none")
        if value is False:
            raise BadReference(f"the argument {key}=False in its call; Expected: none")


def _of_keras_3(calls: list[Any]) -> list[str]:
    if len(calls) > 1:
        raise BadReference(
            f"{len(calls)} uses of it, a shared layer; Expected: one, with weights of its own"
        )
    call = calls[0]
    _check_arguments(call.get("kwargs") or {}, "")
    return [_name(tensor) for tensor in _tensors(call.get("args", []))]


def _tensors(value: Any) -> Iterator[Any]:
    """Yield the history of each Keras tensor in the arguments of a call."""
    if isinstance(value, list):
        for item in value:
            yield from _tensors(item)
    elif isinstance(value, dict) and value.get("class_name") == "__keras_tensor__":
        config = value.get("config")
        yield config.get("keras_history") if isinstance(config, dict) else config
    elif value is not None:
        raise BadReference(f"the argument {value!r} in its call; Expected: tensors alone")
