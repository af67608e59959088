"""The table of models: a name and its options -> a Keras model. Listing and checking import no TensorFlow.

Every builder begins with `check_model`, so a direct call gets the same checks as one through the table.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ddl.builder_table import BuilderTable
from ddl.models.detectors.layouts import STRIDES, is_detector
from ddl.models.from_file import FROM_FILE
from ddl.models.network.file import AFFINE, summarize
from ddl.models.norms import NORMS
from ddl.models.option_rules import check_together
from ddl.models.published import (
    APPLICATIONS,
    WITH_DROP_PATH,
    WITH_DROPOUT,
    WITHOUT_BATCH_NORM,
)
from ddl.models.sides import Sides
from ddl.ranges import Range, check_choice

if TYPE_CHECKING:
    import keras

TARGETS = ("mask", "label", "values", "boxes")
_OWN_TARGETS: dict[str, str] = {}

_ROOM = "ddl.models.classifiers"
_FAMILIES: Mapping[str, tuple[str, str, tuple[int, ...]]] = {
    "build_resnet": ("resnet", "resnet", (10, 18, 34, 50, 101, 152)),
    "build_cifar_resnet": ("resnet", "resnet", (20, 32, 44, 56, 110, 1202)),
    "build_small_vgg": ("vgg", "vgg", (1, 2, 3)),
    "build_vgg": ("vgg", "vgg", (11, 13, 16, 19)),
    "build_densenet": ("densenet", "densenet", (21, 53, 121, 161, 169, 201)),
    "build_cifar_densenet": ("densenet", "densenet", (40,)),
}
"""Builder -> its module, its name before the depth, and its depths."""

_SIDES = {
    "unet_seed": Sides(multiple=128),
    "unet_encoder": Sides(multiple=32, least=64, is_fixed=True),
    "cnn": Sides(least=6, is_fixed=True),
    "simplecnn": Sides(least=2, is_fixed=True),
    "mlp": Sides(is_fixed=True),
    "alexnet": Sides(least=67, is_fixed=True),
    "densenet40": Sides(least=4),
    **{f"vgg{depth}": Sides(least=2**depth, is_fixed=True) for depth in (1, 2, 3)},
    **{f"vgg{depth}": Sides(least=32, is_fixed=True) for depth in (11, 13, 16, 19)},
    **{f"densenet{depth}": Sides(least=32) for depth in (21, 53, 121, 161, 169, 201)},
    **{name: Sides(least=one.least, is_fixed=True) for name, one in APPLICATIONS.items()},
    **{
        name: Sides(multiple=strides[-1], least=2 * strides[-1])
        for name, strides in STRIDES.items()
    },
}
_SIDES_OF_SMALL_INPUT = {
    "alexnet": Sides(least=16, is_fixed=True),
    **{f"densenet{depth}": Sides(least=8) for depth in (21, 53, 121, 161, 169, 201)},
}
"""Where `small_input` changes them."""


def _builders() -> dict[str, str]:
    """Return name -> builder of every classifier."""
    small = {"cnn": "build_cnn", "simplecnn": "build_simple_cnn", "mlp": "build_mlp"}
    return {
        **{
            f"{name}{depth}": f"{_ROOM}.{module}:{builder}"
            for builder, (module, name, depths) in _FAMILIES.items()
            for depth in depths
        },
        "alexnet": f"{_ROOM}.alexnet:build_alexnet",
        "googlenet": f"{_ROOM}.googlenet:build_googlenet",
        **{name: f"{_ROOM}.cnn:{builder}" for name, builder in small.items()},
        **dict.fromkeys(APPLICATIONS, f"{_ROOM}.applications:build_application"),
    }


def _fixed() -> dict[str, dict[str, Any]]:
    """Return name -> options that the name implies, or that its network does not have."""
    depths = {
        f"{name}{depth}": {"depth": depth}
        for _, name, depths in _FAMILIES.values()
        for depth in depths
    }
    applications: dict[str, dict[str, Any]] = {name: {"application": name} for name in APPLICATIONS}
    for name, options in applications.items():
        options |= {} if name in WITH_DROPOUT else {"dropout": None}
        options |= {} if name in WITH_DROP_PATH else {"drop_path": None}
        options |= {"norm": "none"} if name in WITHOUT_BATCH_NORM else {}
    return {**depths, **applications}


MODELS = BuilderTable(
    "model",
    {
        "unet": "ddl.models.unet:build_unet",
        "unet_seed": "ddl.models.unet:build_seed_unet",
        "unet_encoder": "ddl.models.unet_encoder:build_encoder_unet",
        **_builders(),
        "yolov3": "ddl.models.detectors.yolo:build_yolov3",
        "yolo_small": "ddl.models.detectors.yolo:build_small_yolo",
        "fcos": "ddl.models.detectors.fcos:build_fcos",
        FROM_FILE: "ddl.models.network.build:build_network",
    },
    fixed=_fixed(),
    hidden=("classes",),
    ranges={
        "width": Range(1),
        "dense": Range(1),
        "depth": Range(1, 10),
        "growth": Range(1),
        "dropout": Range(0, 1, below=True),
        "drop_path": Range(0, 1, below=True),
    },
    choices={
        "norm": NORMS,
        "batch_norm_affine": AFFINE,
        "output": ("auto", "sigmoid", "softmax", "linear"),
    },
    rule=check_together,
)


def named_models() -> list[str]:
    """Return the names of models that are networks of their own, without that whose network is in a file."""
    return [name for name in MODELS if name != FROM_FILE]


def build_model(
    name: str, input_shape: Sequence[int | None] | None, classes: int | None, **options: Any
) -> keras.Model:
    """Return the model of this name. It predicts the probability of each class, per picture or per pixel.

    Args:
        name: one of `MODELS`.
        input_shape: (height, width, channels); for a "unet" also (depth, height, width, channels); None for a
            "network", whose file gives it.
        classes: 1 for a sigmoid output; more for a softmax; None for a "network".
        **options: those of `MODELS.options(name)`.
    """
    model: keras.Model = MODELS.build(name, input_shape, classes=classes, **options)
    return model


def check_model(
    name: str, *, input_shape: Sequence[int | None], classes: int, **options: Any
) -> None:
    """Refuse an input shape, a number of classes or options that the model of this name does not accept.

    def build_unet(input_shape, *, classes=1, depth=4):
        check_model("unet", **locals())  # the first line, where locals() are the arguments
    """
    fixed = MODELS.fixed.get(name, {})
    MODELS.check(name, **{key: value for key, value in options.items() if key not in fixed})
    _check_input(name, tuple(input_shape), classes, needed_sides(name, options))


def _check_input(name: str, shape: tuple[int | None, ...], classes: int, needed: Sides) -> None:
    unit, least = needed.multiple, max(needed.multiple, needed.least)
    fits = (
        not needed.is_fixed if side is None else side >= least and side % unit == 0
        for side in shape[:-1]
    )
    if len(shape) - 1 not in needed.axes or not all(fits) or not shape[-1] or classes < 1:
        volumes = " or (depth, height, width, channels)" if 3 in needed.axes else ""
        sides = f", sides that are multiples of {unit}, at least {least}" if least > 1 else ""
        raise ValueError(
            f"Received: input_shape={shape}, classes={classes} for model {name}. Expected: "
            f"(height, width, channels){volumes}{sides}, with at least one channel and one class."
        )


def add_model(name: str, builder: Callable[..., keras.Model], target: str) -> None:
    """Register your own model, so that `--model NAME` can train it in this process. All ranks must call it.

        def build_net(input_shape, *, classes, width: int = 16):
            return keras.Sequential([keras.Input(input_shape), keras.layers.Conv2D(classes, 3, padding="same")])

        add_model("net", build_net, target="mask")  # --model net --model-option width=32

    Args:
        name: a new name.
        builder: function of the input shape and the number of classes; its other keyword-only arguments are options.
        target: what the model predicts: "mask" (a class per pixel), "label" (a class per picture) or "values" (numbers
            of any shape).
    """
    check_choice("target", target, TARGETS[:3])
    MODELS.add(name, builder)
    _OWN_TARGETS[name] = target


def target_of(name: str, options: Mapping[str, Any] | None = None) -> str:
    """Return what a model predicts: "mask" (a class per pixel), "label" (a class per picture), "values" or "boxes"."""
    if name == FROM_FILE:
        return summarize(options or {}).target
    if is_detector(name):
        return "boxes"
    return _OWN_TARGETS.get(name) or ("mask" if name.startswith("unet") else "label")


def is_classifier(name: str) -> bool:
    """Return whether a model is one of the zoo's own classifiers, which end in the probabilities of classes."""
    return name in _builders()


def needed_sides(name: str, options: Mapping[str, Any]) -> Sides:
    """Return the input sizes that a model with these options accepts."""
    if name == FROM_FILE:
        return summarize(options).sides
    if name == "unet":  # halves every side `depth` times
        default = MODELS.options(name)["depth"].default
        return Sides(multiple=1 << options.get("depth", default), axes=(2, 3))
    if name in _OWN_TARGETS:
        return Sides(axes=(1, 2, 3))
    if options.get("small_input") and name in _SIDES_OF_SMALL_INPUT:
        return _SIDES_OF_SMALL_INPUT[name]
    return _SIDES.get(name, Sides())
