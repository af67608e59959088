"""What a network divides by is found from its layers, not from its name."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ddl.models.from_file import own_classes
from ddl.models.network.file import output_shape, summarize
from ddl.models.sides import Sides
from ddl.models.zoo import needed_sides, target_of
from tests.models.network.fixtures import P, V, unet, write
from tests.models.network.writer import Writer


def valid_unet(net: Writer) -> None:
    """Add a U-Net without padding, which fits some sizes only."""
    skip = net.add("Conv2D", filters=2, kernel_size=3)
    net.add("MaxPooling2D", pool_size=2)
    net.add("Conv2D", filters=2, kernel_size=3)
    up = net.add("UpSampling2D", size=2)
    crop = net.add("Cropping2D", skip, cropping=[[2, 2], [2, 2]])
    net.add("Concatenate", crop, up)


def thirds(net: Writer) -> None:
    net.add("Conv2D", filters=2, kernel_size=3, strides=3, padding="same")
    net.add("Conv2DTranspose", filters=2, kernel_size=3, strides=3, padding="same")


def as_sequence(net: Writer) -> None:
    net.add("Conv2D", filters=2, kernel_size=3, padding="same")
    net.add("Reshape", target_shape=[256, 2])
    net.add("Activation", activation="softmax")
    net.add("Reshape", target_shape=[16, 16, 2])


def options(make: Any, shape: tuple[int | None, ...] = P) -> dict[str, Any]:
    if isinstance(make, str):
        return {"layers": write(make)}
    net = Writer("functional-2.8", shape)
    make(net)
    return {"layers": net.text()}


FIXED = {"is_fixed": True}


@pytest.mark.parametrize(
    ("made", "sides"),
    [
        (options("unet functional-2.8"), Sides(4, 4, channels=3)),
        (options("unet with open sides"), Sides(4, 4, channels=3)),
        (options("volume_unet functional-2.4"), Sides(2, 2, (3,), channels=1)),
        (options("pspnet functional-2.9"), Sides(8, 8, channels=3, **FIXED)),
        (options("resnet functional-2.8"), Sides(channels=3)),
        (options("inception functional-2.8"), Sides(least=3, channels=3)),
        (options("cnn functional-2.4"), Sides(size=(16, 16), channels=3, **FIXED)),
        (options("dense functional-3"), Sides(axes=(0,), size=(), channels=7, **FIXED)),
        (options("autoencoder list"), Sides(4, 4, channels=3)),
        (options("identity list"), Sides(channels=3)),
        (options(valid_unet), Sides(size=(16, 16), channels=3, **FIXED)),
        (options(thirds, (9, 9, 3)), Sides(3, 3, channels=3)),
        (options(as_sequence), Sides(size=(16, 16), channels=3, **FIXED)),
    ],
)
def test_the_sizes_that_a_network_accepts(made: dict[str, Any], sides: Sides) -> None:
    assert needed_sides("network", made) == sides


def test_output_and_classes_come_from_the_network() -> None:
    segmentation, classes = options("unet functional-2.8"), options("cnn list")
    assert (target_of("network", segmentation), own_classes("network", segmentation)) == ("mask", 2)
    assert (target_of("network", classes), own_classes("network", classes)) == ("label", 3)
    assert output_shape(segmentation, (32, 40, 3)) == (32, 40, 2)
    assert (own_classes("unet", {}), own_classes("resnet20", {})) == (None, None)


def test_a_size_that_does_not_fit_is_told_with_the_layer() -> None:
    with pytest.raises(ValueError, match=r"layers, layer concatenate_1 .*at an input of 18x18x3"):
        output_shape(options("unet functional-2.8"), (18, 18, 3))


def test_open_sides_have_no_multiply_adds() -> None:
    told = summarize(options(unet, (None, None, 3)))
    assert told.multiply_adds is None
    assert told.parameters == summarize(options("unet functional-2.8")).parameters
    assert json.loads(options(unet, V)["layers"])["config"]["name"] == "net"
