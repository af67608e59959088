"""Writes networks in the dialects of Keras 2.1 to 2.9 and of Keras 3, without Keras.

net = Writer("functional-2.8", (8, 8, 3))
net.add("Conv2D", filters=4, kernel_size=[3, 3], padding="same")
text = net.text()
"""

from __future__ import annotations

import json
from typing import Any

FLAVOURS = (
    *("functional-2.4", "functional-2.8", "functional-2.9", "model-2.1.5", "model-2.3.0-tf"),
    *("model-2.3.1", "sequential-2.4", "sequential-2.1", "list", "functional-3", "sequential-3"),
)
CHAINS = ("sequential-2.4", "sequential-2.1", "list", "sequential-3")
"""Those in which a layer takes the one before it."""

_GLOROT = {"scale": 1.0, "mode": "fan_avg", "distribution": "uniform", "seed": None}
_ENDS = ("kernel", "bias")
_MODULES = {"Add": "keras.layers", "InputLayer": "keras.src.layers"}


class Writer:
    """Collects layers, and writes them in a flavour: "functional-2.8", "list", ..."""

    def __init__(self, flavour: str, shape: tuple[int | None, ...], name: str = "net") -> None:
        self.flavour, self.shape, self.name = flavour, shape, name
        self.form, _, version = flavour.partition("-")
        self.is_keras_3 = version == "3"
        self.is_old = version in ("2.1", "2.1.5", "2.3.1")  # Keras without TensorFlow
        self.is_bare = flavour == "list"
        self.layers: list[dict[str, Any]] = []
        self.last = "input_1"
        self.counts: dict[str, int] = {}

    def add(self, kind: str, *inputs: str, name: str = "", **settings: Any) -> str:
        """Add a layer on these inputs, by default the layer before; return its name."""
        self.counts[kind] = self.counts.get(kind, 0) + 1
        name = name or f"{kind.lower()}_{self.counts[kind]}"
        taken = list(inputs) or [self.last]
        config = settings if self.is_bare else {**self._defaults(kind), **settings}
        config = {"name": name, **config}
        self.layers.append(self._layer(kind, name, config, taken))
        self.last = name
        return name

    def _layer(self, kind: str, name: str, config: dict[str, Any], taken: list[str]) -> Any:
        layer: dict[str, Any] = {"class_name": kind, "config": config}
        if self.is_keras_3:
            layer |= {"module": _MODULES.get(kind, "keras.layers"), "registered_name": None}
            layer["build_config"] = {"input_shape": [None, 8, 8, 3]}
        if self.flavour in CHAINS:
            return layer
        if self.form == "model":  # the outer name comes first, as in Keras 2.1
            layer = {"name": name, **layer}
        elif self.flavour != "functional-2.9":
            layer["name"] = name
        if self.is_keras_3:
            tensors = [self._tensor(one) for one in taken]
            args: list[Any] = [tensors] if len(tensors) > 1 else tensors
            layer["inbound_nodes"] = [{"args": args, "kwargs": {"mask": None}}]
        else:
            layer["inbound_nodes"] = [[[one, 0, 0, {}] for one in taken]]
        return layer

    def _tensor(self, name: str) -> dict[str, Any]:
        history = {"shape": [None, 8, 8, 3], "dtype": "float32", "keras_history": [name, 0, 0]}
        return {"class_name": "__keras_tensor__", "config": history}

    def _part(self, family: str, name: str, **config: Any) -> Any:
        if not self.is_keras_3:
            return {"class_name": name, "config": config}
        return {
            "module": f"keras.{family}",
            "class_name": name,
            "config": config,
            "registered_name": None,
        }

    def _glorot(self) -> Any:
        if self.is_old:
            return self._part("initializers", "VarianceScaling", **_GLOROT)
        return self._part("initializers", "GlorotUniform", seed=None)

    def _defaults(self, kind: str) -> dict[str, Any]:
        """Return the settings that Keras writes for every layer of this kind."""
        found: dict[str, Any] = {"trainable": True}
        if self.is_keras_3:
            policy = {"name": "float32"}
            found["dtype"] = {
                "module": "keras",
                "class_name": "DTypePolicy",
                "config": policy,
                "registered_name": None,
            }
        elif not self.is_old:
            found["dtype"] = "float32"
        if "Conv" in kind or kind == "Dense":
            found |= {"activation": "linear", "use_bias": True, "activity_regularizer": None}
            names = [*_ENDS]
            if kind.startswith("Separable"):
                names = ["depthwise", "pointwise", "bias"]
            elif kind.startswith("Depthwise"):
                names = ["depthwise", "bias"]
            for part in names:
                zeros = self._part("initializers", "Zeros")
                found[f"{part}_initializer"] = zeros if part == "bias" else self._glorot()
                found |= {f"{part}_regularizer": None, f"{part}_constraint": None}
        if kind.startswith(("Depthwise", "Separable")) and not self.is_keras_3:
            found |= {"groups": 1, "kernel_initializer": self._glorot()}
            found |= {"kernel_regularizer": None, "kernel_constraint": None}
        if "Conv" in kind or "Pooling" in kind:
            found["data_format"] = "channels_last"
        if kind in ("Conv2DTranspose", "Conv3DTranspose"):
            found["output_padding"] = None
            found |= {} if self.is_keras_3 or self.is_old else {"groups": 1}
        if kind == "BatchNormalization":
            last = len(self.shape)
            found["axis"] = last if self.is_old or self.is_keras_3 else [last]
            for part, start in (("beta", "Zeros"), ("gamma", "Ones")):
                found[f"{part}_initializer"] = self._part("initializers", start)
                found |= {f"{part}_regularizer": None, f"{part}_constraint": None}
            found |= {"momentum": 0.99, "epsilon": 0.001, "center": True, "scale": True}
            found["moving_mean_initializer"] = self._part("initializers", "Zeros")
            found["moving_variance_initializer"] = self._part("initializers", "Ones")
            found |= {"synchronized": False, "renorm": False} if self.is_keras_3 else {}
        return found

    def values(self) -> Any:
        """Return the document as JSON values."""
        shape = [None, *self.shape]
        layers = list(self.layers)
        if self.flavour in CHAINS and not self.is_keras_3:
            first = {**layers[0], "config": {**layers[0]["config"], "batch_input_shape": shape}}
            layers[0] = first
        else:
            layers.insert(0, self._input(shape))
        if self.is_bare:
            return layers
        config: Any = {"name": self.name, "layers": layers}
        if self.flavour == "sequential-2.1":
            config = layers
        elif self.form == "sequential":
            config |= {"build_input_shape": shape}
        elif self.is_keras_3:
            config |= {"input_layers": ["input_1", 0, 0], "output_layers": [self.last, 0, 0]}
        else:
            config |= {"input_layers": [["input_1", 0, 0]], "output_layers": [[self.last, 0, 0]]}
        found = {"class_name": self.form.capitalize(), "config": config}
        if self.is_keras_3:
            return {"module": "keras", **found, "registered_name": self.form.capitalize()}
        version = self.flavour.partition("-")[2]
        return {**found, "keras_version": version, "backend": "tensorflow"}

    def _input(self, shape: list[int | None]) -> dict[str, Any]:
        if self.is_keras_3:
            config = {"batch_shape": shape, "dtype": "float32", "sparse": False, "ragged": False}
        else:
            config = {"batch_input_shape": shape, "dtype": "float32", "sparse": False}
            config |= {} if self.is_old else {"ragged": False}
        config["name"] = "input_1"
        layer: dict[str, Any] = {"class_name": "InputLayer", "config": config}
        if self.flavour not in CHAINS:
            layer |= {"name": "input_1", "inbound_nodes": []}
        return layer

    def text(self) -> str:
        """Return the document as JSON."""
        return json.dumps(self.values())
