"""The table of models: a name and its options -> a Keras model. Listing and checking import no TensorFlow."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ddl.builder_table import BuilderTable
from ddl.models.encoders import check_weights_file, find_encoder
from ddl.models.norms import NORMS
from ddl.ranges import Range, check_choice

if TYPE_CHECKING:
    import keras

TARGETS = ("mask", "label")
_OWN_TARGETS: dict[str, str] = {}

_CIFAR_DEPTHS, _DEPTHS = (20, 32, 44, 56, 110), (18, 34, 50, 101, 152)


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


def _check_together(given: Mapping[str, Any], defaults: Mapping[str, Any], owner: str) -> None:
    """Refuse an encoder or a file that does not exist, and options that contradict each other."""
    if "encoder" in given:
        find_encoder(given["encoder"])
    check_weights_file(given.get("weights_file"))
    values = {**defaults, **given}
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


MODELS = BuilderTable(
    "model",
    {
        "unet": "ddl.models.unet:build_unet",
        "unet_seed": "ddl.models.unet:build_seed_unet",
        "unet_encoder": "ddl.models.unet_encoder:build_encoder_unet",
        **{f"resnet{depth}": "ddl.models.resnet:build_resnet" for depth in _DEPTHS},
        **{f"resnet{depth}": "ddl.models.resnet:build_cifar_resnet" for depth in _CIFAR_DEPTHS},
        "cnn": "ddl.models.cnn:build_cnn",
    },
    fixed={f"resnet{depth}": {"depth": depth} for depth in (*_DEPTHS, *_CIFAR_DEPTHS)},
    hidden=("classes",),
    ranges={
        "width": Range(1),
        "dense": Range(1),
        "depth": Range(1, 10),
        "dropout": Range(0, 1, below=True),
    },
    choices={"norm": NORMS},
    rule=_check_together,
)


def build_model(
    name: str, input_shape: Sequence[int | None], classes: int, **options: Any
) -> keras.Model:
    """Return the model of this name: probabilities for each class, of a picture or of each of its pixels.

    Args:
        name: one of `MODELS`.
        input_shape: (height, width, channels), for a "unet" also (depth, height, width, channels).
        classes: 1 ends in a sigmoid, more in a softmax.
        **options: those of `MODELS.options(name)`.
    """
    model: keras.Model = MODELS.build(name, input_shape, classes=classes, **options)
    return model


def add_model(name: str, builder: Callable[..., keras.Model], target: str) -> None:
    """Add a model of your own, to be trained as `--model NAME` in this process. All ranks must call it.

        def build_net(input_shape, *, classes, width: int = 16):
            return keras.Sequential([keras.Input(input_shape), keras.layers.Conv2D(classes, 3, padding="same")])

        add_model("net", build_net, target="mask")  # --model net --model-option width=32

    Args:
        name: a new name.
        builder: takes the input shape and the number of classes; its other keyword-only arguments are options.
        target: what the model predicts: "mask" (a class for each pixel) or "label" (one for the picture).
    """
    check_choice("target", target, TARGETS)
    MODELS.add(name, builder)
    _OWN_TARGETS[name] = target


def target_of(name: str) -> str:
    """Return what a model predicts: "mask" (a class for each pixel) or "label" (one for the picture)."""
    return _OWN_TARGETS.get(name) or ("mask" if name.startswith("unet") else "label")


def needed_sides(name: str, options: Mapping[str, Any]) -> Sides:
    """Return what a model with these options needs of the sides of its input."""
    if name == "unet":  # it halves them `depth` times
        default = MODELS.options(name)["depth"].default
        return Sides(multiple=1 << options.get("depth", default), axes=(2, 3))
    return _SIDES.get(name, Sides())
