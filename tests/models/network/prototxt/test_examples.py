"""The examples are read as their names say, learn, and load in plain Keras without `ddl`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

from ddl.models.network.build import build_nodes
from ddl.models.network.prototxt import read_neuralnet
from ddl.training.objectives.losses import build_loss

EXAMPLES = sorted(
    (Path(__file__).resolve().parents[4] / "examples/prototxt").glob("dialect_*.prototxt")
)
PLAIN = """
import sys, numpy, keras
for name in sys.argv[1:]:
    model = keras.saving.load_model(name + ".keras")
    numpy.save(name + ".found.npy", model(numpy.load(name + ".x.npy")))
assert not [name for name in sys.modules if name.split(".")[0] == "ddl"]
"""


def test_there_is_one_for_each_dialect() -> None:
    dialects = [read_neuralnet(path.read_text(), str(path)).dialect for path in EXAMPLES]
    assert dialects == ["A", "B", "C", "D"]
    assert [path.stem[-1].upper() for path in EXAMPLES] == dialects


def test_they_learn_and_load_in_plain_keras(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    for path in EXAMPLES:
        net = read_neuralnet(path.read_text(), str(path))
        model = build_nodes(net.network)
        shape = model.input_shape[1:]
        labels = np.tile(np.arange(10), 2)
        x = (random.normal(size=(10, *shape))[labels] + 0.1).astype("float32")
        model.compile(keras.optimizers.SGD(0.1), build_loss(net.loss, **net.loss_option))
        losses = [float(model.train_on_batch(x, labels)) for _ in range(30)]
        assert losses[-1] < 0.9 * losses[0], path
        name = tmp_path / path.stem
        plain = keras.Model(model.inputs, model.outputs)  # without the loss, as runs save it
        plain.save(f"{name}.keras")
        np.save(f"{name}.x.npy", x)
        np.save(f"{name}.expected.npy", model(x))
    names = [str(tmp_path / path.stem) for path in EXAMPLES]
    command = [sys.executable, "-c", PLAIN, *names]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    for name in names:
        np.testing.assert_allclose(
            np.load(f"{name}.found.npy"), np.load(f"{name}.expected.npy"), atol=1e-6
        )


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_shapes_and_weights_are_told_without_tensorflow(path: Path) -> None:
    from ddl.models.network.file import summarize

    told = summarize({"file": str(path)})
    model = build_nodes(read_neuralnet(path.read_text(), str(path)).network)
    assert told.parameters == model.count_params()
    for layer in told.layers:
        assert model.get_layer(layer.node.name).output.shape[1:] == layer.shape, layer.node.name
    assert (told.target, told.classes) == ("label", 10)
