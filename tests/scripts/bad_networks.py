"""Network files and weights of Keras 2 that cannot be used, and a piece of the one line that tells so."""

from __future__ import annotations

import json
from pathlib import Path

import h5py
import numpy as np

from tests.data import make
from tests.models.network.fixtures import resnet, small_cnn, unet
from tests.models.network.writer import Writer
from tests.scripts.spoiled import Given, Row, file, run

TRAIN = "train_unet --run-dir run --model network "
FILE = f"{TRAIN}--model-option file=net.json "
SMALL = "--data-option count=6 --image-size "


def network(make: object = unet, **changes: object) -> Given:
    """Return a function that writes net.json; `changes` are settings of its last layer."""

    def write(here: Path) -> None:
        net = Writer("functional-2.8", (16, 16, 3))
        make(net)  # type: ignore[operator]
        values = net.values()
        values["config"]["layers"][-1]["config"] |= changes
        (here / "net.json").write_text(json.dumps(values))

    return write


def with_weights(cut: float) -> Given:
    """Return a function that writes net.json, and a part of weights of Keras 2."""

    def write(here: Path) -> None:
        network()(here)
        with h5py.File(here / "old.h5", "w") as old:
            old.attrs["keras_version"], old.attrs["layer_names"] = "2.8.0", [b"a"]
            old.create_group("a").attrs["weight_names"] = [b"kernel:0", b"gone:0"]
            old["a/kernel:0"] = np.zeros((100, 100))
        data = (here / "old.h5").read_bytes()
        (here / "old.h5").write_bytes(data[: int(len(data) * cut)])

    return write


def with_pictures(here: Path) -> None:
    """Write net.json and five pictures."""
    network()(here)
    make.pictures(here / "in")


NETWORKS = [
    Row(TRAIN, "model network without a network. Expected: --model-option file=NAME, a network"),
    Row(FILE, "net.json, which cannot be read (No such file or directory)"),
    Row(f"{TRAIN}--model-option file=.", "., which cannot be read (Is a directory)"),
    Row(FILE, "net.json, line 1, column 1: Expecting value", file("net.json")),
    Row(FILE, "net.json, layer out (Conv2D): filters=0", network(filters=0)),
    Row(f"{FILE}norm=group", "norm=group for model network", network()),
    Row(f"{FILE}width=3", "Unknown option of model network. Received: 'width'", network()),
    Row(f"{FILE}batch_norm_affine=no", "Expected one of: keras, always", network()),
    Row(
        f"{FILE} {SMALL}16 --classes 3",
        "classes=3. Expected: 2, as the network net.json",
        network(),
    ),
    Row(f"{FILE} {SMALL}18", "Expected: sides that 4 divides, such as 16x16", network()),
    Row(
        f"{FILE} {SMALL}16 --data-option channels=grey",
        "Unknown option of data format synthetic",
        network(),
    ),
    Row(
        f"{FILE} {SMALL}16",
        "a network whose output is 8x8x2 for samples of 16x16x3. Expected: the pictures' size",
        network(strides=[2, 2]),
    ),
    Row(
        "train_cnn --run-dir run --data synthetic-labels --data-option classes=3 --image-size 24 --model network "
        "--model-option file=net.json",
        "24x24x3 from synthetic-labels, for model network. Expected: 16x16x3, for which it is built",
        network(small_cnn),
    ),
    Row(
        "train_unet --run-dir run --data in --target-data in --image-size 16 --targets values --loss mse --metric mae "
        "--model network --model-option file=net.json",
        "whose output is 16x16x2 for samples of 16x16x3. Expected: 16x16x3, the shape of the targets.",
        with_pictures,
    ),
    Row(
        "train_cnn --run-dir run --data faces --model network --model-option file=net.json",
        "2 classes in faces (other, face). Expected: 4, as the network net.json has outputs",
        network(resnet),
    ),
    Row(
        f"{FILE} {SMALL}16 --init-weights old.h5",
        "old.h5, which is not an intact saved model (",
        with_weights(0.5),
    ),
    Row(
        f"{FILE} {SMALL}16 --init-weights old.h5",
        "old.h5, whose weights cannot be read (",
        with_weights(1),
    ),
    Row(
        "benchmark train --model network --model-option file=net.json --image-size 18",
        "input_shape=18x18x3 for net.json, which is built for 16x16x3. Expected: sides that 4 divides",
        network(),
    ),
    Row("list_models --network net.json", "net.json, which cannot be read"),
    Row("list_models --network net.json --like vgg*", "network with like or aliases"),
    Row("list_models --layers", "layers without network, or with csv or json"),
    Row(
        "train_unet --run-dir run --resume auto --model network --model-option file=net.json",
        "model='network' (checkpoint: 'unet')",
        lambda here: (run()(here), network()(here)),
    ),
]
