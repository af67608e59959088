"""Shapes and parameters that are inferred without TensorFlow are those of the built model, for every fixture."""

from __future__ import annotations

from typing import Any

import keras
import pytest

from ddl.models.layer_table import total_multiply_adds, trainable_parameters
from ddl.models.network.file import Summary, summarize
from ddl.models.zoo import build_model
from ddl.training.objectives.network_end import find_ending
from tests.models.network.fixtures import FIXTURES, write


def built(name: str, **options: Any) -> tuple[keras.Model, Summary]:
    options = {"layers": write(name), **options}
    return build_model("network", None, None, **options), summarize(options)


FIRST = list({make: name for name, (make, _, _) in reversed(FIXTURES.items())}.values())
"""One of each network. That its other flavours are the same is tested without Keras."""


@pytest.mark.parametrize(
    "name",
    [name if name in FIRST else pytest.param(name, marks=pytest.mark.proof) for name in FIXTURES],
)
def test_the_built_model_has_the_inferred_shapes_and_parameters(name: str) -> None:
    model, summary = built(name)
    assert model.output_shape[1:] == summary.output_shape
    assert len(model.layers) == len(summary.layers) + 1
    for inferred in summary.layers:
        layer = model.get_layer(inferred.node.name)
        assert tuple(layer.output.shape[1:]) == inferred.shape, layer.name
        weights = [(weight.name, tuple(weight.shape)) for weight in layer.weights]
        weights = [pair for pair in weights if pair[0] != "seed_generator_state"]
        assert weights == [(one.name, one.shape) for one in inferred.weights], layer.name
    assert find_ending(model.output)[0] == summary.last_activation
    assert trainable_parameters(model) == summary.trainable
    assert total_multiply_adds(model) == summary.multiply_adds
    keras.backend.clear_session()
