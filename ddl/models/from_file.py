"""What plans need to know of the model `network`, whose layers, input and classes come from a file. No TensorFlow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ddl.models.network.file import (
    describe,
    digest_of,
    network_text,
    output_shape,
    read_network,
    summarize,
)
from ddl.models.network.kinds.shapes import Shape
from ddl.models.network.sizes import check_input

FROM_FILE = "network"
"""The name of that model."""


def own_classes(name: str, options: Mapping[str, Any]) -> int | None:
    """Return the number of classes that a model has whatever the data, None if the data decide."""
    return summarize(options).classes if name == FROM_FILE else None


def complete_options(name: str, options: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the options with all that building the model needs, so that no file is read later.

    Raises:
        ValueError: the file of a network cannot be read.
    """
    return {**options, "layers": network_text(options)} if name == FROM_FILE else options


def told_options(name: str, options: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the options as a command line gives them: without the text of a network whose file is named."""
    is_named = name == FROM_FILE and options.get("file")
    return {key: options[key] for key in options if not (is_named and key == "layers")}


def plan_options(name: str, options: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the options as plan.json has them: the digest of a network in place of its text."""
    if name != FROM_FILE or not options.get("layers"):
        return options
    return {**options, "layers": digest_of(network_text(options))}


def model_lines(name: str, options: Mapping[str, Any]) -> list[str]:
    """Return lines on the network of a file, for people; none for the other models."""
    return describe(options) if name == FROM_FILE else []


def check_input_shape(name: str, options: Mapping[str, Any], shape: Shape) -> None:
    """Refuse an input that the network of a file does not take; other models say it themselves.

    Raises:
        ValueError: the message says what it takes.
    """
    if name == FROM_FILE:
        check_input(read_network(options), shape)


def made_shape(name: str, options: Mapping[str, Any], shape: Sequence[int]) -> Shape | None:
    """Return the shape of a network's output for samples of this shape; None for the other models.

    Raises:
        ValueError: the network cannot take such samples.
    """
    return output_shape(options, shape) if name == FROM_FILE else None
