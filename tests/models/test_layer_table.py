"""The table of layers: rows, totals, open sides, other kinds of layers, and the launcher's form of it."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from ddl.models.layer_table import (
    LayerRow,
    launcher_table,
    layer_rows,
    layer_table,
    total_multiply_adds,
)
from ddl.models.zoo import build_model
from tests.models.independent_count import count_multiply_adds

SEED = """\
┌───────┬──────────┬─────────┬───────────────┬─────────────────┬─────────┬─────────┐
│ Layer │   Type   │ #Params │ Output shape  │  Weights shape  │ Padding │ Stride  │
├───────┼──────────┼─────────┼───────────────┼─────────────────┼─────────┼─────────┤
│   0   │  Input   │    0    │  (1, 28, 28)  │                 │         │         │
├───────┼──────────┼─────────┼───────────────┼─────────────────┼─────────┼─────────┤
│   1   │  Conv2D  │   40    │  (4, 26, 26)  │  (4, 1, 3, 3)   │    0    │    1    │
├───────┼──────────┼─────────┼───────────────┼─────────────────┼─────────┼─────────┤
│   2   │   Relu   │    0    │  (4, 26, 26)  │                 │         │         │
├───────┼──────────┼─────────┼───────────────┼─────────────────┼─────────┼─────────┤
│   3   │  Conv2D  │   296   │  (8, 24, 24)  │  (8, 4, 3, 3)   │    0    │    1    │
├───────┼──────────┼─────────┼───────────────┼─────────────────┼─────────┼─────────┤
│   4   │   Relu   │    0    │  (8, 24, 24)  │                 │         │         │
├───────┼──────────┼─────────┼───────────────┼─────────────────┼─────────┼─────────┤
│   5   │  Pool2D  │    0    │  (8, 12, 12)  │                 │    0    │    2    │
├───────┼──────────┼─────────┼───────────────┼─────────────────┼─────────┼─────────┤
│   6   │    FC    │ 147584  │    (128,)     │   (1152, 128)   │         │         │
├───────┼──────────┼─────────┼───────────────┼─────────────────┼─────────┼─────────┤
│   7   │   Relu   │    0    │    (128,)     │                 │         │         │
├───────┼──────────┼─────────┼───────────────┼─────────────────┼─────────┼─────────┤
│   8   │    FC    │  1290   │     (10,)     │    (128, 10)    │         │         │
├───────┼──────────┼─────────┼───────────────┼─────────────────┼─────────┼─────────┤
│   9   │ Softmax  │    0    │     (10,)     │                 │         │         │
└───────┴──────────┴─────────┴───────────────┴─────────────────┴─────────┴─────────┘
"""


def test_the_small_network_has_the_launcher_s_table() -> None:
    assert launcher_table(build_model("cnn", (28, 28, 1), 10)) == SEED


@pytest.mark.parametrize("name", ["resnet20", "vgg1", "alexnet", "mobilenet", "unet"])
def test_every_model_has_a_launcher_s_table(name: str) -> None:
    model = build_model(name, (96, 96, 3), 10)
    table = launcher_table(model)
    assert len({len(line) for line in table.splitlines()}) == 1
    cells = [line.split("│")[3].strip() for line in table.splitlines()[3::2]]
    assert sum(map(int, cells)) == model.count_params()


def test_a_row_tells_kind_shapes_and_counts() -> None:
    rows = {row.name: row for row in layer_rows(build_model("cnn", (28, 28, 1), 10))}
    assert rows["conv_2"] == LayerRow(
        "conv_2", "Conv2D", (24, 24, 8), (3, 3, 4, 8), 296, 24 * 24 * 8 * 4 * 9
    )
    assert rows["pool"] == LayerRow("pool", "MaxPooling2D", (12, 12, 8), (), 0, 0)


def test_the_table_ends_with_the_totals() -> None:
    lines = layer_table(build_model("resnet20", (32, 32, 3), 10)).splitlines()
    assert lines[0].split() == [
        "layer", "kind", "output", "shape", "weights", "parameters", "multiply-adds"
    ]  # fmt: skip
    assert (
        "resnet20: 72 layers, 271,098 parameters (269,722 trainable), 40,551,040 multiply-adds"
        in (lines[-1])
    )


def test_open_sides_leave_multiply_adds_unknown() -> None:
    model = build_model("unet", (None, None, 3), 1, width=2, depth=1)
    assert total_multiply_adds(model) is None
    assert "?x?x2" in layer_table(model)
    assert "unknown multiply-adds" in layer_table(model)


def other_layers() -> keras.Model:
    layers = keras.layers
    inputs = keras.Input((8, 8, 4))
    features = layers.SeparableConv2D(6, 3, strides=2, padding="same")(inputs)
    features = layers.Conv2DTranspose(4, 2, strides=2)(features)
    features = layers.Conv2D(8, 3, groups=2, dilation_rate=2)(features)
    features = layers.DepthwiseConv2D(3, depth_multiplier=2)(features)
    features = layers.LayerNormalization()(features)
    features = layers.Reshape((-1, 16))(features)
    features = layers.MultiHeadAttention(2, 5)(features, features)
    features = layers.EinsumDense("abc,cd->abd", output_shape=(4, 6))(features)
    inside = keras.Sequential([layers.Dense(5), layers.Dense(4)], name="inside")
    shared = layers.Dense(4, name="shared")
    return keras.Model(inputs, shared(shared(inside(features))))


def test_other_layers_are_counted_by_their_shapes() -> None:
    model = other_layers()
    rows = layer_rows(model)
    assert sum(row.parameters for row in rows) == model.count_params()
    found = {row.kind: row.multiply_adds for row in rows if row.kind != "Dense"}
    assert {kind: count for kind, count in found.items() if count} == {
        "SeparableConv2D": 4 * 4 * (9 * 4 + 4 * 6),
        "Conv2DTranspose": 4 * 4 * 2 * 2 * 6 * 4,  # spreads the positions of its input
        "Conv2D": 4 * 4 * 9 * 2 * 8,  # in two groups
        "DepthwiseConv2D": 2 * 2 * 9 * 16,
        "MultiHeadAttention": 4 * 4 * (16 * 10)
        + 2 * (4 * 4 * 10),  # projections; scores and values
        "EinsumDense": 4 * 16 * 6,
    }
    dense = [row.multiply_adds for row in rows if row.kind == "Dense"]
    assert dense == [4 * 6 * 5, 4 * 5 * 4, 2 * 4 * 4 * 4]  # the last one is called twice
    assert [row.name.split("/")[0] for row in rows][-3:] == ["inside", "inside", "shared"]


def test_a_subclassed_layer_without_a_graph_is_unknown() -> None:
    class Own(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.dense = keras.layers.Dense(3)

        def call(self, inputs):  # type: ignore[no-untyped-def]
            return self.dense(inputs)

    model = Own()
    model(np.zeros((1, 2), np.float32))
    (row,) = layer_rows(model)
    assert (row.parameters, row.multiply_adds) == (9, None)
    assert layer_table(model)


def test_the_independent_count_sees_a_convolution() -> None:
    inputs = keras.Input((5, 5, 2))
    model = keras.Model(inputs, keras.layers.Conv2D(3, 3)(inputs))
    assert count_multiply_adds(model) == total_multiply_adds(model) == 9 * 9 * 2 * 3
