"""Whatever stands in a document of a stranger, it is a network or a ValueError of one line."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from typing import Any

import pytest

from ddl.models.network.document import network_from_values
from ddl.models.network.inference import infer
from ddl.models.network.sizes import network_sides
from tests.models.network.fixtures import FIXTURES, write

VALUES: list[Any] = [
    *(None, True, False, 0, 1, -1, 2, 1.5, -0.5, 10**30, "", "x", "valid", "relu", "input_1"),
    *([], [None], [2, 2], [[1, 1]], [[0, 1], [2]], {}, ["a", 0], [["a", None, 0]], [{}]),
    *([[["conv2d_1", 0, 0, {}]]], [["a", 0, 0, {"x": 1}]], [{"args": [3]}]),
    *({"class_name": "L2", "config": {"l2": 1}}, {"class_name": "Zeros", "config": []}),
    *({"class_name": "__tuple__", "items": 3}, [{"args": [{"class_name": "__keras_tensor__"}]}]),
]
"""What a place in a document is replaced by."""


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the path to everything inside a JSON value."""
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, item in items:
        yield (*path, key)
        if isinstance(item, dict | list):
            yield from places(item, (*path, key))


def spoiled(text: str, draw: random.Random) -> Any:
    """Return a document in which a place is missing or holds something else."""
    document = json.loads(text)
    *path, last = draw.choice(list(places(document)))
    inner = document
    for key in path:
        inner = inner[key]
    if draw.random() < 0.15:
        del inner[last]
    else:
        inner[last] = draw.choice(VALUES)
    return document


def check(name: str, seed: int, count: int) -> None:
    draw, text, told = random.Random(seed), write(name), []
    for _ in range(count):
        document = spoiled(text, draw)
        try:
            network = network_from_values(document, "net.json")
            infer(network)
            network_sides(network)
        except ValueError as error:
            told.append(str(error))
    assert told
    assert [
        line for line in told if not line.startswith("Received: net.json") or "\n" in line
    ] == []


@pytest.mark.parametrize(
    "name", ["merges functional-3", "resnet model-2.1.5", "others sequential-2.1", "volumes list"]
)
def test_a_spoiled_document_is_refused_or_built(name: str) -> None:
    check(name, 1, 60)


@pytest.mark.proof
@pytest.mark.parametrize("name", FIXTURES)
def test_many_spoiled_documents_are_refused_or_built(name: str) -> None:
    check(name, 2, 400)
