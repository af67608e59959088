"""The names of the PyDTNN launcher's zoo, and the model and options that each stands for here. No TensorFlow.

Its convolutions before a normalization have biases, which have no effect, and batch normalization is each rank's own
there; ours leave biases out and span all ranks. Where a network of its zoo is broken or another one than its name
says, the published one is given, and the note says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ddl.ranges import expected_one_of


@dataclass(frozen=True)
class Alias:
    """What a name stands for.

    Attributes:
        model: name of a model here.
        options: its options.
        note: one line on how it differs from the network of that name, or "".
    """

    model: str
    options: Mapping[str, Any] = field(default_factory=dict)
    note: str = ""


_SMALL: Mapping[str, Any] = {"small_input": True}
_STEM = "The original's stem keeps the picture's size, which costs 15 times the work; this is the published network."
_NO_STRIDE = (
    "The original's stem has no stride, so its dense layer is huge; this is the published network."
)
_HEAD = "The original has one more dense layer with normalization before the classes."
_SHORTCUT = (
    "Its shortcuts have no parameters, as published; the original's have, and one more dense layer."
)


def _vgg_of(name: str) -> dict[str, Alias]:
    """Return the names of a published VGG."""
    normalized = {**_SMALL, "norm": "sync", "bias": True}
    return {
        **dict.fromkeys((name, f"{name}_imagenet"), Alias(name)),
        f"{name}_cifar10": Alias(name, _SMALL),
        f"{name}bn": Alias(name, {"norm": "sync", "bias": True}),
        f"{name}bn_cifar10": Alias(name, normalized),
    }


_SMALL_VGG = {
    "vgg1": Alias("vgg1"),
    "vgg2": Alias("vgg2"),
    "vgg3": Alias("vgg3"),
    "vgg3do": Alias("vgg3", {"dropout": 0.2}),
    "vgg3do2": Alias("vgg3", {"dropout": (0.2, 0.3, 0.4, 0.5)}),
    "vgg3dobn": Alias(
        "vgg3",
        {"dropout": (0.2, 0.3, 0.4, 0.5), "dense": 512, "norm": "sync", "norm_after_relu": True},
    ),
}

_CIFAR_DEPTHS, _DEPTHS = (20, 32, 44, 56, 110, 1202), (10, 18, 34, 50, 101, 152)

_RESNETS = {
    **{f"resnet{depth}": Alias(f"resnet{depth}") for depth in (*_CIFAR_DEPTHS, *_DEPTHS)},
    "resnet10": Alias("resnet10", note="The original's stages have half as many channels."),
    **{
        f"resnet{depth}_cifar10": Alias(f"resnet{depth}", note=_SHORTCUT) for depth in _CIFAR_DEPTHS
    },
    "resnet44_cifar10": Alias(
        "resnet44", note="The original is a ResNet-56: 9 blocks a stage in place of 7."
    ),
    **{
        f"resnet{depth}_cifar10": Alias(f"resnet{depth}", _SMALL, _HEAD)
        for depth in (18, 34, 50, 101, 152)
    },
    **{
        f"resnet{depth}_imagenet": Alias(f"resnet{depth}", note=_STEM)
        for depth in (18, 34, 101, 152)
    },
    "resnet50_imagenet": Alias("resnet50", note="The original's stem lacks its normalization."),
    "resnet50v15_imagenet": Alias("resnet50"),
    "resnet50_tensorflow": Alias("resnet50", {"as_keras": True}),
    **dict.fromkeys(
        ("resnet50_pytorch", "resnet50_from_pytorch", "resnet50_converter_pytorch"),
        Alias("resnet50"),
    ),
}

_DENSENETS = {
    **{f"densenet{depth}": Alias(f"densenet{depth}") for depth in (121, 161, 169, 201)},
    **{
        f"densenet{depth}_cifar10": Alias(f"densenet{depth}", _SMALL)
        for depth in (121, 161, 169, 201)
    },
    **{
        f"densenet{depth}_imagenet": Alias(f"densenet{depth}", note=_NO_STRIDE)
        for depth in (121, 161, 169, 201)
    },
    **dict.fromkeys(
        ("densenet_cifar10", "densenet121k12_cifar10"),
        Alias("densenet121", {**_SMALL, "growth": 12}),
    ),
    "densenet21k8": Alias("densenet21"),
    "densenet53k12": Alias("densenet53"),
    **dict.fromkeys(
        ("densenet169_from_pytorch", "densenet169_coverter_pytorch"), Alias("densenet169")
    ),
}

_INCEPTIONS = {
    "googlenet": Alias("googlenet", {"norm": "sync"}),
    "googlenet_cifar10": Alias(
        "googlenet",
        {**_SMALL, "norm": "sync"},
        "The original has two 3x3 convolutions for each 5x5, and one more dense layer.",
    ),
    "googlenet_imagenet": Alias(
        "googlenet",
        {"norm": "sync"},
        "The original is the network for small pictures, flattened at 224; this is the published network.",
    ),
    "inceptionv3": Alias("inceptionv3"),
    "inceptionv3_cifar10": Alias(
        "inceptionv3", note="It takes pictures of at least 75 pixels; 299 are published."
    ),
    "inceptionv3_imagenet": Alias(
        "inceptionv3", note="The original cannot be built; this is the published network."
    ),
}

_TINY = "The original has fewer blocks; this is the published network."
_MOBILENETS = {
    "mobilenetv1": Alias("mobilenet"),
    "mobilenetv1_cifar10": Alias(
        "mobilenet",
        note="The original's stem has no normalization, and it has one more dense layer.",
    ),
    "mobilenetv1_pytorch": Alias("mobilenet"),
    "mobilenetv1_tensorflow": Alias("mobilenet"),
    "mobilenetv1_tiny": Alias("mobilenet", note=_TINY),
    "mobilenetv2_pytorch": Alias("mobilenetv2"),
    "mobilenetv2_tiny": Alias("mobilenetv2", note=_TINY),
}

ALIASES: dict[str, Alias] = {
    "simplecnn": Alias("simplecnn"),
    "simplecnn_2020": Alias("cnn"),
    "simplemlp": Alias("mlp"),
    "alexnet": Alias("alexnet"),
    "alexnet_imagenet": Alias("alexnet"),
    "alexnet_cifar10": Alias("alexnet", _SMALL),
    **_SMALL_VGG,
    **_vgg_of("vgg11"),
    **_vgg_of("vgg16"),
    **dict.fromkeys(("vgg19", "vgg19_imagenet"), Alias("vgg19")),
    **dict.fromkeys(("vgg16_pytorch", "vgg16_tensorflow"), Alias("vgg16")),
    **_INCEPTIONS,
    **_DENSENETS,
    **_MOBILENETS,
    **_RESNETS,
}
"""Every name of the zoo that is a classifier of pictures. `simplecnn_2020` is what `simplecnn` was in 2020."""

OUT_OF_SCOPE = (
    *("identity", "bert", "iwslt", "transformer_test"),
    *("tsunamis_eflows_UMA", "vgg_tropical_cyclone"),
)
"""The names that are none: translation, and projects with data of their own."""


def find_alias(name: str) -> Alias:
    """Return what a name of the launcher's zoo stands for.

    Raises:
        ValueError: it is no name of that zoo, or no classifier of pictures.
    """
    if name in OUT_OF_SCOPE:
        raise ValueError(
            f"Received: model={name!r}, which is no classifier of pictures. {expected_one_of(name, ALIASES)}"
        )
    if name not in ALIASES:
        raise ValueError(f"Received: model={name!r}. {expected_one_of(name, ALIASES)}")
    return ALIASES[name]
