"""A checkpoint file gives back what was written, in plain Keras too, and a damaged one is told from a whole one."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest

from ddl.training.checkpoint import keras_h5
from ddl.training.checkpoint.checkpoint_file import (
    Snapshot,
    check_checkpoint,
    open_checkpoint,
    write_checkpoint,
)
from ddl.training.checkpoint.snapshot import restore_snapshot, take_snapshot
from tests.models.plain import predict_by_name
from tests.ranks import call_plain_keras
from tests.small_files import limited_files
from tests.training.checkpoint.snapshots import assert_equal, make_snapshot


@pytest.fixture
def path(tmp_path: Path) -> Path:
    written = tmp_path / "checkpoints" / "epoch-0001.h5"
    write_checkpoint(written, make_snapshot())
    return written


def test_what_is_written_is_read(path: Path) -> None:
    assert_equal(open_checkpoint(path).read(), make_snapshot())
    assert [other.name for other in path.parent.iterdir()] == [path.name]


def test_facts_are_read_alone_and_without_tensorflow(path: Path) -> None:
    history = [{"epoch": 1, "loss": float("inf"), "mein Würfel": 0.5}] * 1000
    write_checkpoint(path, make_snapshot(history=history))
    program = (
        "import json, pathlib, sys\n"
        "from ddl.training.checkpoint import checkpoint_file, checkpoint_writer, checkpoint_folder\n"
        f"print(json.dumps(checkpoint_file.open_checkpoint(pathlib.Path({str(path)!r})).facts))\n"
        "assert not {'tensorflow', 'keras', 'horovod'} & set(sys.modules), sys.modules.keys()\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    assert json.loads(result.stdout) == {"position": {"epoch": 1, "step": 0}, "history": history}


def test_a_flipped_bit_anywhere_is_found(path: Path) -> None:
    whole = path.read_bytes()
    rng = np.random.default_rng(0)
    positions = [*range(0, 120, 3), 130, 511, 512, 520, len(whole) - 1]
    positions += rng.integers(512, len(whole), 160).tolist()
    for position in positions:
        damaged = bytearray(whole)
        damaged[position] ^= 1 << int(rng.integers(8))
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match=r"epoch-0001\.h5 is damaged \(.*\)\. Expected: "):
            check_checkpoint(path)
    path.write_bytes(whole)
    check_checkpoint(path)


@pytest.mark.parametrize("length", [1, 14, 80, 511, 512, 513, 5000, -1])
def test_a_file_cut_short_or_grown_is_found(path: Path, length: int) -> None:
    whole = path.read_bytes()
    path.write_bytes(whole[:length] if length > 0 else whole + b"\0")
    for read in (check_checkpoint, open_checkpoint):
        with pytest.raises(ValueError, match=r"epoch-0001\.h5(, which is no| is damaged)"):
            read(path)


def test_a_file_that_changed_after_it_was_verified_is_refused(path: Path) -> None:
    opened = open_checkpoint(path)
    assert_equal(opened.read(), make_snapshot())
    write_checkpoint(path, make_snapshot(history=[{"epoch": 1}]))
    with pytest.raises(ValueError, match=r"epoch-0001\.h5 has changed .* Expected: no other job"):
        opened.read()
    path.unlink()
    with pytest.raises(ValueError, match=r"epoch-0001\.h5 has changed"):
        opened.read()


def test_a_file_of_other_origin_is_refused(tmp_path: Path) -> None:
    other = tmp_path / "other.h5"
    with h5py.File(other, "w") as file:
        file["weights"] = np.zeros(1000)
    with pytest.raises(ValueError, match="which is not a ddl checkpoint"):
        open_checkpoint(other).read()
    with pytest.raises(ValueError, match="cannot be read"):
        open_checkpoint(tmp_path)
    with pytest.raises(ValueError, match="cannot be read \\(No such file"):
        check_checkpoint(tmp_path / "none.h5")


def test_a_newer_format_is_named(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b"ddl checkpoint 1 ", b"ddl checkpoint 2 "))
    with pytest.raises(ValueError, match="format 2"):
        check_checkpoint(path)


@pytest.mark.parametrize("room", [0, 600, 30_000, 799_000])
def test_a_full_disk_leaves_nothing_behind_but_what_was_there(path: Path, room: int) -> None:
    with limited_files(room), pytest.raises(OSError, match="File too large"):
        write_checkpoint(path, make_snapshot(count=50_000))
    assert [other.name for other in path.parent.iterdir()] == [path.name]
    assert_equal(open_checkpoint(path).read(), make_snapshot())


def test_more_names_than_an_attribute_of_hdf5_can_hold(tmp_path: Path) -> None:
    layers = [(f"layer_{number:04d}_{'x' * 60}", []) for number in range(2000)]
    layers.append(("last", [(f"{'y' * 100}_{n}", np.full(1, n)) for n in range(1500)]))
    with h5py.File(tmp_path / "a.h5", "w") as file:
        keras_h5.write_model(file, "{}" * 60_000, "3", layers)
        read = keras_h5.read_layers(file)
    assert [name for name, _ in read] == [name for name, _ in layers]
    assert read[-1][1] == layers[-1][1]


def make_model(width: int = 4) -> keras.Model:
    """Return a model of what is hard to store: outputs by name, a model inside, a layer used twice, operations."""
    keras.utils.clear_session()
    keras.utils.set_random_seed(2)
    inner = keras.Sequential(
        [keras.Input((width,)), keras.layers.Dense(width), keras.layers.BatchNormalization()],
        name="inner",
    )
    shared = keras.layers.Dense(width, activation="tanh", name="shared")
    inputs = keras.Input((width,), name="image")
    features = shared(inner(shared(inputs))) + keras.ops.flip(inputs, axis=-1)
    features = keras.layers.BatchNormalization(synchronized=True)(features)
    narrow = keras.layers.Dense(2, dtype="bfloat16", name="narrow")(features)
    outputs = {"mask": keras.layers.Dense(1, name="mask")(narrow), "mask_2": narrow}
    model = keras.Model(inputs, outputs, name="unlike")
    model.compile("adam", {"mask": "mse", "mask_2": "mse"})
    return model


def train(model: keras.Model) -> np.ndarray:
    x = np.random.default_rng(1).normal(size=(8, 4)).astype("float32")
    model.fit(x, {"mask": x[:, :1], "mask_2": x[:, :2]}, epochs=2, verbose=0)
    return x


def test_plain_keras_loads_it_where_there_is_no_ddl(tmp_path: Path) -> None:
    model = make_model()
    x = train(model)
    snapshot = take_snapshot(model, {})
    assert snapshot is not None
    write_checkpoint(tmp_path / "a.h5", snapshot)
    found = call_plain_keras(predict_by_name, tmp_path / "a.h5", x)
    expected = model.predict(x, verbose=0)
    assert set(found) == {"mask", "mask_2"}
    for name, values in expected.items():
        np.testing.assert_array_equal(found[name], values.astype("float32"))


def test_one_process_goes_on_bit_for_bit(tmp_path: Path) -> None:
    model = make_model()
    train(model)
    write_checkpoint(tmp_path / "a.h5", _taken(model, facts={"history": [{"epoch": 1}]}))
    train(model)
    other = make_model()
    restore_snapshot(other, open_checkpoint(tmp_path / "a.h5").read())
    train(other)
    for one, two in zip(_variables(model), _variables(other), strict=True):
        assert one.tobytes() == two.tobytes()


def test_facts_are_a_copy() -> None:
    history = [{"epoch": 1}]
    snapshot = _taken(make_model(), {"history": history})
    history.append({"epoch": 2})
    assert snapshot.facts == {"history": [{"epoch": 1}]}


def test_the_first_difference_of_a_model_is_named() -> None:
    snapshot = _taken(make_model(), {})
    with pytest.raises(
        ValueError, match=r"weight 'shared/kernel' of shape \(4, 4\) and type float"
    ):
        restore_snapshot(make_model(width=5), snapshot)
    other = make_model()
    other.compile("sgd", "mse")
    with pytest.raises(ValueError, match=r"with optimizer Adam\. Expected: SGD, as in"):
        restore_snapshot(other, snapshot)
    other.compile(keras.optimizers.Adam(amsgrad=True), "mse")
    with pytest.raises(ValueError, match=r"with 26 slots\. Expected: 38, as in"):
        restore_snapshot(other, snapshot)
    for model in (keras.Sequential([keras.layers.Dense(2)]), Outside(make_model())):
        with pytest.raises(ValueError, match=r"Expected: (a functional|all variables)"):
            take_snapshot(model, {})


class Outside(keras.Model):
    """A functional model with a variable that no layer has."""

    def __init__(self, model: keras.Model) -> None:
        super().__init__(model.inputs, model.outputs)
        self.temperature = self.add_weight(name="temperature")


def _taken(model: keras.Model, facts: dict[str, object]) -> Snapshot:
    snapshot = take_snapshot(model, facts)
    assert snapshot is not None
    return snapshot


def _variables(model: keras.Model) -> list[np.ndarray]:
    return [np.asarray(v.numpy()) for v in [*model.variables, *model.optimizer.variables]]
