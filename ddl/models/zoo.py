"""The one table of models: a name and its options -> a Keras model. Listing and checking load no framework."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ddl import options as opts
from ddl.models.encoders import check_weights_file, find_encoder
from ddl.models.norms import check_norm
from ddl.ranges import Range, check_ranges

if TYPE_CHECKING:
    import keras

_RESNET, _CIFAR = "ddl.models.resnet:build_resnet", "ddl.models.resnet:build_cifar_resnet"

MODELS: dict[str, tuple[str, dict[str, Any]]] = {
    "unet": ("ddl.models.unet:build_unet", {}),
    "unet_seed": ("ddl.models.unet:build_seed_unet", {}),
    "unet_encoder": ("ddl.models.unet_encoder:build_encoder_unet", {}),
    "resnet18": (_RESNET, {"depth": 18}),
    "resnet34": (_RESNET, {"depth": 34}),
    "resnet50": (_RESNET, {"depth": 50}),
    "resnet101": (_RESNET, {"depth": 101}),
    "resnet152": (_RESNET, {"depth": 152}),
    "resnet20": (_CIFAR, {"depth": 20}),
    "resnet32": (_CIFAR, {"depth": 32}),
    "resnet44": (_CIFAR, {"depth": 44}),
    "resnet56": (_CIFAR, {"depth": 56}),
    "resnet110": (_CIFAR, {"depth": 110}),
    "cnn": ("ddl.models.cnn:build_cnn", {}),
}
"""Name -> builder, and the options which the name has decided."""


@dataclass(frozen=True)
class Sides:
    """What a model needs of the sides of its input.

    Attributes:
        multiple: every side is a multiple of it.
        least: every side has at least so many pixels.
        axes: numbers of sides that the model takes: 2 for pictures, 3 for volumes.
        is_fixed: whether the model is built for one size, so that training and validation must agree on it.
    """

    multiple: int = 1
    least: int = 1
    axes: tuple[int, ...] = (2,)
    is_fixed: bool = False


_SIDES = {
    "unet_seed": Sides(multiple=128),
    "unet_encoder": Sides(multiple=32, least=64, is_fixed=True),
}
_CHECKS: dict[str, Callable[[Any], object]] = {
    "norm": check_norm,
    "encoder": find_encoder,
    "weights_file": check_weights_file,
}
_RANGES = {
    "width": Range(1),
    "dense": Range(1),
    "depth": Range(1, 10),
    "dropout": Range(0, 1, below=True),
}


def build_model(
    name: str, input_shape: Sequence[int | None], classes: int, **options: Any
) -> keras.Model:
    """Return the model of this name: probabilities for each class, of a picture or of each of its pixels.

    Args:
        name: one of `MODELS`.
        input_shape: (height, width, channels), for a "unet" also (depth, height, width, channels).
        classes: 1 ends in a sigmoid, more in a softmax.
        **options: those of `model_options(name)`.
    """
    options = check_model(name, **options)
    builder, decided = MODELS[name]
    model: keras.Model = opts.load(builder)(input_shape, classes=classes, **decided, **options)
    return model


def check_model(name: str, /, **options: Any) -> dict[str, Any]:
    """Return the options, each of its type; refuse an unknown name or option, and what no picture could make right."""
    known, owner = model_options(name), f"model {name}"
    values = opts.convert_values(options, known, owner)
    for option, value in values.items():
        if option in _CHECKS:
            _CHECKS[option](value)
        for number in value if isinstance(value, tuple) else (value,):
            check_ranges({option: number}, _RANGES, owner)
    _check_together({key: known[key].default for key in known} | values, owner)
    return values


def _check_together(values: Mapping[str, Any], owner: str) -> None:
    """Refuse options that contradict each other."""
    depth, width = values.get("depth", 0), values.get("width")
    if isinstance(width, tuple) and len(width) != depth + 1:
        raise ValueError(
            f"Received: width={','.join(map(str, width))} with depth={depth} for {owner}. Expected: one number of "
            f"channels, or depth + 1 = {depth + 1} of them."
        )
    if values.get("deep_supervision") and depth < 2:
        raise ValueError(
            f"Received: deep_supervision=true with depth={depth} for {owner}. Expected: a depth of 2 or more."
        )


def target_of(name: str) -> str:
    """Return what a model finds: "mask" (a class for each pixel) or "label" (one for the picture)."""
    return "mask" if name.startswith("unet") else "label"


def needed_sides(name: str, options: Mapping[str, Any]) -> Sides:
    """Return what a model with these options needs of the sides of its input."""
    if name == "unet":  # it halves them `depth` times
        return Sides(
            multiple=1 << options.get("depth", model_options(name)["depth"].default), axes=(2, 3)
        )
    return _SIDES.get(name, Sides())


def model_options(name: str) -> dict[str, opts.Option]:
    """Return the options of a model: name -> type, default and help."""
    if name not in MODELS:
        raise ValueError(
            f"Unknown model. Received: {name!r}. Expected one of: {', '.join(MODELS)}."
        )
    builder, decided = MODELS[name]
    options = opts.read_options(builder)
    return {key: options[key] for key in options if key not in decided and key != "classes"}


def parse_model_options(name: str, texts: Iterable[str]) -> dict[str, Any]:
    """Return the options that texts such as "width=32" give a model, as `build_model` takes them."""
    return check_model(name, **opts.parse_options(texts, model_options(name), f"model {name}"))


def describe_models() -> str:
    """Return every name with its options, one a line, for a help text."""
    lines = []
    for name in MODELS:
        lines.append(name)
        lines += [
            f"  {option.name}={option.default} ({option.type}): {option.help}"
            for option in model_options(name).values()
        ]
    return "\n".join(lines)
