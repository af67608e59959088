"""A layer of a file -> nodes: names, settings and defaults as Keras 3 has them. No TensorFlow."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ddl.models.network.kinds import settings as to
from ddl.models.network.kinds.kind import KERAS, REQUIRED
from ddl.models.network.kinds.parts import is_default_initializer
from ddl.models.network.kinds.table import ALL_KINDS, KINDS, find_kind
from ddl.models.network.nodes import Node, refusal
from ddl.ranges import did_you_mean, expected_one_of

_OF_EVERY_LAYER = (
    *("name", "trainable", "dtype", "data_format", "batch_input_shape", "batch_shape"),
    *("input_shape", "input_dtype", "sparse", "ragged", "optional", "build_config", "dynamic"),
)
_TORCH_MOMENTUM = 0.5
"""Below it, the momentum of a batch normalization is torch's, which weighs the new value."""

_NESTED = ("Functional", "Model", "Sequential")
_MOST_NAMES = 8


_Helper = tuple[str, str, dict[str, Any]]
"""A layer beside that of the file: what is put behind its name, its kind and its settings."""


@dataclass
class Translation:
    """What is known while the layers of a file are translated.

    Attributes:
        origin: the file, for messages.
        is_keras_3: whether Keras 3 wrote it, whose `hard_sigmoid` is another function than that of Keras 2.
        notes: what is not as the file says it -> names of the layers.
    """

    origin: str
    is_keras_3: bool = False
    notes: dict[str, list[str]] = field(default_factory=dict)

    def note(self, text: str, name: str) -> None:
        """Remember a line about a layer."""
        self.notes.setdefault(text, []).append(name)

    def note_lines(self) -> list[str]:
        """Return a line for each remark, with the layers that it is about."""
        lines = []
        for text, names in self.notes.items():
            shown = ", ".join(names[:_MOST_NAMES]) + (", ..." if len(names) > _MOST_NAMES else "")
            lines.append(f"{text} {len(names)} layer{'s' * (len(names) > 1)}: {shown}.")
        return lines

    def nodes(self, name: str, layer: Mapping[str, Any]) -> list[Node]:
        """Return the nodes that a layer of the file becomes, one after the other; mostly a single one.

        Args:
            name: the layer's name in the file.
            layer: its class and its settings, {"class_name": ..., "config": ...}.

        Returns:
            Nodes of which the first has no inputs yet.

        Raises:
            ValueError: a kind or a setting that is not known.
        """
        class_name, config = layer.get("class_name"), to.unwrapped(layer.get("config", {}))
        kind = find_kind(class_name)
        if kind is None:
            if class_name in _NESTED:
                raise refusal(
                    self.origin,
                    f"layer {name}, which is itself a model ({class_name})",
                    "a flat list of layers",
                )
            raise refusal(
                self.origin,
                f"layer {name} of the unknown kind {class_name!r}",
                expected_one_of(class_name, sorted(KINDS)).removeprefix("Expected ").rstrip("."),
            )
        padding, config = self._separate_padding(name, kind, config)
        settings = self._settings(name, kind, config)
        is_after = "Transpose" in kind
        before, after = ([], padding) if is_after else (padding, [])
        after = [*after, *self._separate_activation(settings)]
        trains = config.get("trainable", True)
        if not isinstance(trains, bool):
            raise self._wrong(name, kind, "trainable", trains, "true or false")
        found: list[Node] = []
        for tag, of_kind, values in [*before, ("", kind, settings), *after]:
            taken = (found[-1].name,) if found else ()
            new = plain_name(name) + (f"_{tag}" if tag else "")
            old = name if not tag and new != name else ""
            found.append(Node(new, of_kind, values, taken, trains, old))
        return found

    def _wrong(self, name: str, kind: str, key: str, value: Any, expected: str) -> ValueError:
        shown = value if len(str(value)) < 100 else f"{str(value)[:100]}..."
        return refusal(self.origin, f"layer {name} ({kind}): {key}={shown!r}", expected)

    def _settings(self, name: str, kind: str, config: Mapping[str, Any]) -> dict[str, Any]:
        """Return the layer's settings, converted, with the defaults of those that the file does not give."""
        table = ALL_KINDS[kind]
        self._check_common(name, kind, config)
        given = {
            table.names.get(key, key): value
            for key, value in config.items()
            if key not in _OF_EVERY_LAYER
        }
        found: dict[str, Any] = {}
        for key, value in given.items():
            if key in table.rows:
                try:
                    found[key] = table.rows[key][0](value)
                except to.Wrong as error:
                    raise self._wrong(name, kind, key, value, str(error).rstrip(".")) from None
            elif key not in table.neutral:
                known = ", ".join(table.rows) or "no settings"
                raise refusal(
                    self.origin,
                    f"layer {name} ({kind}) with the unknown setting {key!r}",
                    f"{known}.{did_you_mean(key, table.rows)}".rstrip("."),
                )
            elif not table.neutral[key](value):
                raise self._wrong(
                    name, kind, key, value, "none: Keras 3 has no such setting of this kind"
                )
            elif key == "kernel_initializer" and not is_default_initializer(value):
                self.note(f"{key} has no effect in {kind}, as in Keras 2.", name)
        return self._completed(name, kind, found)

    def _completed(self, name: str, kind: str, found: dict[str, Any]) -> dict[str, Any]:
        for key, (_, default) in ALL_KINDS[kind].rows.items():
            if key not in found and default is REQUIRED:
                raise refusal(self.origin, f"layer {name} ({kind}) without {key}", key)
            if key not in found and default is not KERAS:
                found[key] = default
        found |= ALL_KINDS[kind].fixed
        if kind == "InstanceNormalization":
            affine = found["affine"]
            for key in ("center", "scale"):
                own = bool(found[key])  # those of TensorFlow Addons; torch has neither by default
                found[key] = own if affine is None else affine
        if kind == "BatchNormalization":
            self._read_batch_norm(name, found)
        return found

    def _read_batch_norm(self, name: str, found: dict[str, Any]) -> None:
        momentum = found["momentum"]
        if 0 < momentum < _TORCH_MOMENTUM:
            found["momentum"] = 1 - momentum
            self.note(
                f"BatchNormalization momentum={momentum:g} is torch's convention, and is taken as {1 - momentum:g}.",
                name,
            )
        if not (found["center"] and found["scale"]):
            self.note(
                "BatchNormalization without center or scale has none of it, as in Keras; batch_norm_affine=always "
                "trains both.",
                name,
            )

    def _check_common(self, name: str, kind: str, config: Mapping[str, Any]) -> None:
        """Check the settings of every layer, of which the model gets none."""
        order = config.get("data_format")
        if order not in (None, "channels_last"):
            raise self._wrong(name, kind, "data_format", order, "channels_last")
        if config.get("dynamic") not in (None, False):
            raise self._wrong(name, kind, "dynamic", config["dynamic"], "false")
        dtype = config.get("dtype")
        if isinstance(dtype, dict):
            policy = dtype.get("config")
            dtype = policy.get("name") if isinstance(policy, dict) else policy
        if dtype not in (None, "float32"):
            self.note(f"dtype {dtype} is left to the run's precision.", name)

    def _separate_padding(
        self, name: str, kind: str, config: dict[str, Any]
    ) -> tuple[list[_Helper], dict[str, Any]]:
        """Return padding in numbers, as torch has it, as a layer of its own; and the other settings.

        In torch, padding of a transposed convolution is what its output loses.
        """
        value = config.get("padding")
        axes = KINDS[kind].axes
        is_window = "kernel_size" in KINDS[kind].rows or "pool_size" in KINDS[kind].rows
        if not is_window or axes is None or value is None or isinstance(value, str):
            return [], config
        try:
            pairs = to.edges(axes)(value)
        except to.Wrong as error:
            raise self._wrong(name, kind, "padding", value, f"valid, same, or {error!s}") from None
        config = {**config, "padding": "valid"}
        if "Transpose" in kind and config.get("output_padding") is None:
            config["output_padding"] = 0
        if not any(end for pair in pairs for end in pair):
            return [], config
        if "Transpose" in kind:
            return [("crop", f"Cropping{axes}D", {"cropping": pairs})], config
        if kind.startswith("Max"):
            self.note("padding as a number puts zeros around the input of a maximum.", name)
        return [("pad", f"ZeroPadding{axes}D", {"padding": pairs})], config

    def _separate_activation(self, settings: dict[str, Any]) -> list[_Helper]:
        """Return layers for an activation that Keras 3 has another function for; `settings` then has none."""
        if self.is_keras_3 or settings.get("activation") != "hard_sigmoid":
            return []
        settings["activation"] = "linear"
        clip = {"max_value": 1.0, "negative_slope": 0.0, "threshold": 0.0}
        return [
            ("scaled", "Rescaling", {"scale": 0.2, "offset": 0.5}),
            ("clipped", "ReLU", clip),
        ]


def plain_name(name: str) -> str:
    """Return a name that Keras 3 takes for a layer."""
    plain = re.sub(r"[^A-Za-z0-9_.\-]", "_", name)
    return plain if plain[:1].isalnum() else f"layer{plain}"


def settings_of(kind: str, config: Mapping[str, Any], *, name: str, origin: str) -> dict[str, Any]:
    """Return converted settings of a kind with all defaults, for other readers of networks.

    Raises:
        ValueError: a setting that is unknown, missing or wrong.
    """
    return Translation(origin, is_keras_3=True)._settings(name, kind, config)


def generated_name(kind: str, counts: Counter[str]) -> str:
    """Return a name for a layer whose file gives none: conv2d_1, conv2d_2, ..."""
    counts[kind] += 1
    return f"{kind.lower()}_{counts[kind]}"
