"""The one table of models: a name and its options -> a Keras model. Listing and checking load no framework."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from ddl import options as opts
from ddl.models.encoders import check_weights_file, find_encoder
from ddl.models.norms import check_norm

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
}
"""Name -> builder, and the options which the name has decided."""

_CHECKS: dict[str, Callable[[Any], object]] = {
    "norm": check_norm,
    "encoder": find_encoder,
    "weights_file": check_weights_file,
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
    check_model(name, **options)
    builder, decided = MODELS[name]
    model: keras.Model = opts.load(builder)(input_shape, classes=classes, **decided, **options)
    return model


def check_model(name: str, **options: Any) -> None:
    """Refuse an unknown name, an unknown option, and a value that no picture size could make right."""
    opts.check_names(options, model_options(name), f"model {name}")
    for option, value in options.items():
        if option in _CHECKS:
            _CHECKS[option](value)


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
    options = opts.parse_options(texts, model_options(name), f"model {name}")
    check_model(name, **options)
    return options


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
