"""Configs without a mistake, and the files that they name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from skimage.io import imsave

from ddl.config.json_run.checking.settings import Settings
from ddl.config.json_run.reading import read_settings

CLASSES = """{
    "neural_network": {
        "outfile": "out.txt",
        "num_epochs": 3,
        "layers": "net.json",
        "checkpoints": {
            "save": "models/",
            "interval": 2
        },
        "data": {
            "input_type": "images",
            "target_type": "labels",
            "input_path": "train/",
            "test_input_path": "test/",
            "test_output_path": "outputs/",
            "batch_size": 16,
            "preload": true,
            "transforms": [
                { "resize": [16, 16] },
                { "normalize": { "mean": 0.5, "std": 0.25 } },
                { "random_horizontal_flip": 0.5 }
            ]
        },
        "loss": {
            "function": "nll",
            "source": "softmax"
        },
        "optimizer": {
            "type": "sgd",
            "learning_rate": 0.1,
            "momentum": 0.9,
            "lr_scheduler": {
                "type": "Exponential",
                "gamma": 0.5
            }
        }
    }
}
"""
"""Pictures in class folders."""

BLOCKS = """{
    "neural_network": {
        "layers": "net.json",
        "data": {
            "type": "hdf5",
            "input_path": "train/",
            "target_path": "test/",
            "test_input_path": "train/",
            "test_target_path": "test/",
            "hdf5_outfile": "all.h5",
            "hdf5_precision": "half",
            "slicers": [
                {
                    "name": "a",
                    "sizes": [8, 8, 1],
                    "strides": [4, 8, 1],
                    "padding": [1, 1, 0],
                    "transpose": true
                },
                { "name": "b", "sizes": [8, 8, 8], "padded_sizes": [9, 9, 9], "discard_remainders": true }
            ]
        },
        "loss": { "function": "Dice" },
        "optimizer": { "type": "Adam", "eps": 1e-7 }
    }
}
"""
"""Blocks of an array."""

EQUATION = """{
    "neural_network": {
        "layers": "net.json",
        "data": {
            "type": "pde",
            "domain_size": 32,
            "num_examples": 8,
            "num_test_examples": 4,
            "bc_frequency": [1, 4],
            "bc_type": "fixed_uniform"
        },
        "loss": { "function": "burgers_pde", "diffusion_coeff": 0.01, "boundary_factor": 64 },
        "optimizer": { "type": "Hessian", "max_iterations": 20 }
    }
}
"""
"""An equation, with samples that ddl makes."""

INFERENCE = """{
    "neural_network": {
        "layers": "net.json",
        "checkpoints": { "load": "models/model_checkpoint_3.pt" },
        "data": {
            "type": "images",
            "target_type": "labels",
            "test_input_path": "test/",
            "test_output_path": "outputs/",
            "test_batch_size": 4
        }
    }
}
"""
"""Test data alone."""

GAN = """{
    "neural_network": {
        "num_epochs": 2,
        "generator": { "network": "dcgan", "options": { "width": 8 } },
        "discriminator": { "network": "dcgan", "options": { "width": 8 } },
        "gan": {
            "latent_dim": 16,
            "n_critic": 2,
            "conditional": true,
            "ema": 0.99,
            "score_samples": 40
        },
        "data": {
            "input_type": "images",
            "target_type": "labels",
            "input_path": "train/",
            "test_input_path": "test/",
            "batch_size": 8,
            "grayscale": true
        },
        "loss": { "function": "wasserstein", "gp_weight": 5 },
        "optimizer": { "type": "adam", "learning_rate": 0.0002, "beta1": 0.5 }
    }
}
"""
"""A conditional GAN of pictures in class folders."""

DETECTOR = """{
    "neural_network": {
        "num_epochs": 2,
        "detector": {
            "network": "fcos",
            "options": { "width": 8 },
            "mosaic": 0.5
        },
        "data": {
            "type": "boxes",
            "input_path": "train/",
            "image_size": [64, 64],
            "batch_size": 8
        },
        "loss": { "function": "FCOS" },
        "optimizer": { "type": "adam", "learning_rate": 0.001 }
    }
}
"""
"""A detector."""

ALL = {
    "classes": CLASSES,
    "blocks": BLOCKS,
    "equation": EQUATION,
    "inference": INFERENCE,
    "gan": GAN,
    "detector": DETECTOR,
}


def layer(kind: str, name: str, before: str | None, **config: Any) -> dict[str, Any]:
    """Return a layer as Keras 2 writes it."""
    inbound = [[[before, 0, 0, {}]]] if before else []
    return {
        "class_name": kind,
        "name": name,
        "config": {"name": name, **config},
        "inbound_nodes": inbound,
    }


def classifier(sides: tuple[int, ...] = (16, 16), end: str = "softmax") -> str:
    """Return a network of two classes."""
    layers = [
        layer("InputLayer", "in", None, batch_input_shape=[None, *sides, 3], dtype="float32"),
        layer("Conv2D", "conv", "in", filters=4, kernel_size=[3, 3], activation="relu"),
        layer("GlobalAveragePooling2D", "pool", "conv"),
        layer("Dense", "out", "pool", units=2, activation=end),
    ]
    return _functional(layers, "in", "out")


def field_network(sides: tuple[int, ...] = (8, 8), channels: int = 1, out: int = 1) -> str:
    """Return a network from a picture or a volume to one of the same sides."""
    kind = f"Conv{len(sides)}D"
    end = "sigmoid" if out == 1 else "softmax"
    layers = [
        layer("InputLayer", "in", None, batch_input_shape=[None, *sides, channels]),
        layer(kind, "out", "in", filters=out, kernel_size=3, padding="same", activation=end),
    ]
    return _functional(layers, "in", "out")


def wave_network(places: int = 32, times: int = 8) -> str:
    """Return a network from a wave to its course."""
    layers = [
        layer("InputLayer", "in", None, batch_input_shape=[None, places, 1]),
        layer("Reshape", "line", "in", target_shape=[places, 1, 1]),
        layer("UpSampling2D", "up", "line", size=[1, times]),
        layer("Conv2D", "out", "up", filters=1, kernel_size=3, padding="same"),
    ]
    return _functional(layers, "in", "out")


def _functional(layers: list[dict[str, Any]], first: str, last: str) -> str:
    config = {
        "name": "small",
        "layers": layers,
        "input_layers": [[first, 0, 0]],
        "output_layers": [[last, 0, 0]],
    }
    return json.dumps({"class_name": "Functional", "config": config, "keras_version": "2.8.0"})


def make_pictures(folder: Path, train: int = 24, test: int = 8) -> None:
    """Make pictures of two classes that a small network tells apart, below train/ and test/."""
    rng = np.random.default_rng(0)
    for part, count in (("train", train), ("test", test)):
        for number in range(count):
            kind = number % 2
            picture = rng.integers(0, 90, (16, 16, 3)).astype(np.uint8)
            picture[..., 2 * kind] += 120
            path = folder / part / "ab"[kind] / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            imsave(path, picture, check_contrast=False)


def make_files(folder: Path) -> None:
    """Make what the configs name: a network, folders and a file without samples."""
    for name in ("train", "test"):
        (folder / name).mkdir()
    (folder / "net.json").write_text(classifier())
    (folder / "a.npy").touch()


def settings_of(folder: Path, text: str, *changes: str, name: str = "x.json") -> Settings:
    """Return the settings of a config in the working directory, which is `folder`."""
    (folder / name).write_text(text, encoding="utf-8")
    return read_settings([name], changes)


def changed(text: str, **sections: Any) -> str:
    """Return a config with other values of its outermost keys, in JSON; None takes a key away."""
    values = json.loads(text)
    network = values["neural_network"]
    for name, value in sections.items():
        if value is None:
            del network[name]
        else:
            network[name] = value
    return json.dumps(values, indent=4)
