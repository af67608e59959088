"""Small networks of every kind and flavour, as files have them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.models.network.writer import Writer

Net = Callable[[Writer], Any]


def small_cnn(net: Writer) -> None:
    net.add("Conv2D", filters=4, kernel_size=[3, 3], padding="valid", activation="relu")
    net.add("MaxPooling2D", pool_size=[2, 2], strides=[2, 2], padding="valid")
    net.add("Dropout", rate=0.25)
    net.add("Flatten")
    net.add("Dense", units=6, activation="relu")
    net.add("Dense", units=3, activation="softmax")


def vgg(net: Writer) -> None:
    for block, filters in enumerate((4, 8)):
        for number in range(2):
            name = f"block{block + 1}_conv{number + 1}"
            settings = {"filters": filters, "kernel_size": [3, 3], "padding": "same"}
            net.add("Conv2D", name=name, activation="relu", **settings)
        net.add("MaxPooling2D", name=f"block{block + 1}_pool", pool_size=[2, 2], strides=[2, 2])
    net.add("Flatten", name="flatten")
    net.add("Dense", name="fc1", units=8, activation="relu")
    net.add("Dense", name="predictions", units=5, activation="softmax")


def _conv(net: Writer, *inputs: str, name: str, filters: int, **settings: Any) -> str:
    settings = {"kernel_size": [3, 3], "padding": "same", "use_bias": False, **settings}
    net.add("Conv2D", *inputs, name=f"{name}_conv", filters=filters, **settings)
    net.add("BatchNormalization", name=f"{name}_bn")
    return net.add("Activation", name=f"{name}_relu", activation="relu")


def resnet(net: Writer) -> None:
    net.add("ZeroPadding2D", name="conv1_pad", padding=[[3, 3], [3, 3]])
    _conv(net, name="conv1", filters=4, kernel_size=[7, 7], strides=[2, 2], padding="valid")
    net.add("ZeroPadding2D", name="pool1_pad", padding=[[1, 1], [1, 1]])
    start = net.add("MaxPooling2D", name="pool1", pool_size=[3, 3], strides=[2, 2])
    shortcut = net.add("Conv2D", start, name="short", filters=8, kernel_size=[1, 1])
    inner = _conv(net, start, name="res2a", filters=4)
    net.add("Conv2D", inner, name="res2a_out", filters=8, kernel_size=[1, 1])
    net.add("Add", shortcut, net.last)
    net.add("Activation", activation="relu")
    net.add("GlobalAveragePooling2D", name="avg_pool")
    net.add("Dense", name="fc", units=4, activation="softmax")


def densenet(net: Writer) -> None:
    features = _conv(net, name="conv1/conv", filters=4)
    for number in range(2):
        grown = _conv(net, features, name=f"conv2_block{number}/0", filters=3)
        features = net.add("Concatenate", features, grown, axis=3)
    net.add("AveragePooling2D", pool_size=[2, 2], strides=[2, 2], padding="valid")
    net.add("GlobalAveragePooling2D")
    net.add("Dense", units=4, activation="softmax")


def mobilenet(net: Writer) -> None:
    net.add("ZeroPadding2D", padding=[[0, 1], [0, 1]])
    net.add("Conv2D", filters=4, kernel_size=[3, 3], strides=[2, 2], use_bias=False)
    net.add("BatchNormalization")
    net.add("ReLU", max_value=6.0, negative_slope=0.0, threshold=0.0)
    settings = {"kernel_size": [3, 3], "padding": "same", "depth_multiplier": 1}
    net.add("DepthwiseConv2D", use_bias=False, strides=[1, 1], **settings)
    net.add("BatchNormalization")
    net.add("ReLU", max_value=6.0)
    net.add("GlobalAveragePooling2D")
    net.add("Reshape", target_shape=[1, 1, 4])
    net.add("Dropout", rate=0.001, noise_shape=None, seed=None)
    net.add("Conv2D", filters=3, kernel_size=[1, 1], padding="same")
    net.add("Reshape", target_shape=[3])
    net.add("Activation", activation="softmax")


def xception(net: Writer) -> None:
    start = _conv(net, name="entry", filters=4, strides=[2, 2])
    net.add("SeparableConv2D", filters=8, kernel_size=[3, 3], padding="same", use_bias=False)
    net.add("BatchNormalization")
    net.add("MaxPooling2D", pool_size=[3, 3], strides=[2, 2], padding="same")
    shortcut = net.add(
        "Conv2D", start, filters=8, kernel_size=[1, 1], strides=[2, 2], padding="same"
    )
    net.add("Add", "maxpooling2d_1", shortcut)
    for _ in range(2):
        net.add("Conv2DTranspose", filters=4, kernel_size=[3, 3], strides=[1, 1], padding="same")
        net.add("BatchNormalization")
        net.add("UpSampling2D", size=[2, 2], interpolation="nearest")
    net.add("Conv2D", filters=3, kernel_size=[3, 3], padding="same", activation="softmax")


def inception(net: Writer) -> None:
    stem = _conv(net, name="stem", filters=4, strides=[2, 2], padding="valid")
    a = _conv(net, stem, name="a", filters=3, kernel_size=[1, 1])
    b = _conv(net, stem, name="b", filters=3, kernel_size=[1, 3])
    b = _conv(net, b, name="b2", filters=3, kernel_size=[3, 1])
    net.add("AveragePooling2D", stem, pool_size=[3, 3], strides=[1, 1], padding="same")
    c = _conv(net, name="c", filters=3, kernel_size=[1, 1])
    net.add("Concatenate", a, b, c, axis=3, name="mixed0")
    net.add("GlobalMaxPooling2D")
    net.add("Dense", units=4, activation="softmax")


def unet(net: Writer) -> None:
    skips = []
    for level, filters in enumerate((4, 8)):
        skips.append(_conv(net, name=f"down{level}", filters=filters))
        net.add("MaxPooling2D", pool_size=[2, 2], strides=None, padding="valid")
    _conv(net, name="bottom", filters=8)
    for level in (1, 0):
        settings = {"kernel_size": [2, 2], "strides": [2, 2], "padding": "same"}
        up = net.add("Conv2DTranspose", filters=4, **settings)
        net.add("Concatenate", skips[level], up, axis=-1)
        _conv(net, name=f"up{level}", filters=4)
    net.add("Conv2D", filters=2, kernel_size=[1, 1], activation="softmax", name="out")


def pspnet(net: Writer) -> None:
    features = _conv(net, name="enc", filters=4, strides=[2, 2])
    parts = [features]
    for pool in (2, 4):
        net.add("AveragePooling2D", features, pool_size=[pool, pool], strides=[pool, pool])
        _conv(net, name=f"psp{pool}", filters=2, kernel_size=[1, 1])
        parts.append(net.add("UpSampling2D", size=[pool, pool], interpolation="bilinear"))
    net.add("Concatenate", *parts, axis=3)
    net.add("SpatialDropout2D", rate=0.1)
    net.add("Conv2D", filters=2, kernel_size=[3, 3], padding="same")
    net.add("UpSampling2D", size=[2, 2], interpolation="bilinear", name="final_upsampling")
    net.add("Activation", activation="sigmoid", name="sigmoid")


def volume_unet(net: Writer) -> None:
    skip = net.add("Conv3D", filters=2, kernel_size=[3, 3, 3], padding="same", activation="relu")
    net.add("BatchNormalization", axis=[4] if not net.is_old else 4)
    net.add("MaxPooling3D", pool_size=[2, 2, 2], strides=[2, 2, 2])
    net.add("Conv3D", filters=4, kernel_size=[3, 3, 3], padding="same", use_bias=False)
    net.add("InstanceNormalization", affine=True, track_running_stats=False, momentum=0.1)
    net.add("LeakyReLU", alpha=0.01)
    up = net.add("Conv3DTranspose", filters=2, kernel_size=[2, 2, 2], strides=[2, 2, 2])
    net.add("Concatenate", skip, up)
    net.add("Conv3D", filters=2, kernel_size=[1, 1, 1], activation="log_softmax_v2")


def yolo(net: Writer) -> None:
    net.add("Conv2D", filters=4, kernel_size=3, padding=1, use_bias=False)
    net.add("BatchNormalization", momentum=0.1, epsilon=1e-5)
    net.add("LeakyReLU", alpha=0.1)
    net.add("Conv2D", filters=8, kernel_size=3, strides=2, padding=[1, 1])
    net.add("UpSampling2D", size=2)
    net.add("Conv2D", filters=3, kernel_size=1, padding=0)
    net.add("Conv2DTranspose", filters=3, kernel_size=2, strides=2, padding=[1, 0])
    net.add("AveragePooling2D", pool_size=[1, 2], padding=[1, 1])
    net.add("Sigmoid")


def dense(net: Writer) -> None:
    net.add("Dense", units=5, activation="tanh", kernel_regularizer=_l2(net))
    net.add("BatchNormalization", axis=1 if net.is_old else [1])
    net.add("Dense", units=3, activation="log_softmax")


def _l2(net: Writer) -> Any:
    if net.is_keras_3:
        return net._part("regularizers", "L2", l2=0.01)
    return {"class_name": "L1L2", "config": {"l1": 0.0, "l2": 0.009999999776482582}}


def frozen(net: Writer) -> None:
    net.add("Conv2D", filters=4, kernel_size=[3, 3], trainable=False, padding="same")
    net.add("BatchNormalization", trainable=False)
    net.add("Activation", activation="relu")
    net.add("GlobalAveragePooling2D")
    net.add("Dense", units=3, activation="softmax")


def one_side(net: Writer) -> None:
    net.add("Conv1D", filters=4, kernel_size=[3], padding="causal", activation="relu")
    net.add("SeparableConv1D", filters=4, kernel_size=3, padding="same")
    net.add("DepthwiseConv1D", kernel_size=3, padding="same", depth_multiplier=2)
    net.add("ZeroPadding1D", padding=[1, 1])
    net.add("Cropping1D", cropping=[1, 1])
    net.add("AveragePooling1D", pool_size=[2], strides=[2])
    net.add("UpSampling1D", size=2)
    net.add("SpatialDropout1D", rate=0.1)
    net.add("MaxPooling1D", pool_size=2, strides=2, padding="same")
    net.add("Conv1DTranspose", filters=3, kernel_size=2, strides=2, padding="same")
    net.add("Tanh")
    net.add("GlobalMaxPooling1D")
    net.add("Dense", units=2, activation="softmax")


def one_side_mean(net: Writer) -> None:
    net.add("Conv1D", filters=4, kernel_size=3)
    net.add("GlobalAveragePooling1D")
    net.add("log_softmax", axis=1)


def merges(net: Writer) -> None:
    a = net.add("Conv2D", "input_1", filters=3, kernel_size=[3, 3], padding="same")
    b = net.add("Conv2D", "input_1", filters=3, kernel_size=[1, 1])
    for kind in ("Average", "Multiply", "Maximum", "Minimum", "Subtract"):
        b = net.add(kind, a, b)
    gate = net.add("GlobalAveragePooling2D", a)
    gate = net.add("Reshape", gate, target_shape=[1, 1, 3])
    gate = net.add("Conv2D", gate, filters=3, kernel_size=[1, 1], activation="sigmoid")
    net.add("Multiply", b, gate)
    net.add("Cropping2D", cropping=[[1, 1], [1, 1]])
    net.add("LayerNormalization", axis=[3], epsilon=0.001)
    net.add("Swish")
    net.add("Softmax", axis=-1)


def others(net: Writer) -> None:
    net.add("Rescaling", scale=2.0, offset=-1.0)
    net.add("GaussianNoise", stddev=0.1)
    net.add("Conv2D", filters=4, kernel_size=[3, 3], dilation_rate=[2, 2], padding="same")
    net.add("PReLU", shared_axes=[1, 2])
    net.add("ELU", alpha=1.0)
    net.add("GroupNormalization", groups=2, epsilon=0.001)
    net.add("Permute", dims=[2, 1, 3])
    net.add("Activation", activation="hard_sigmoid")
    net.add("Flatten")
    net.add("Dense", units=4, kernel_constraint=None, kernel_initializer="he_normal")
    net.add("AlphaDropout", rate=0.1)
    net.add("GaussianDropout", rate=0.1)
    net.add("RepeatVector", n=3)


def volumes(net: Writer) -> None:
    net.add("ZeroPadding3D", padding=[1, 1, 1])
    net.add("Conv3D", filters=2, kernel_size=3, activation="ReLU")
    net.add("DepthwiseConv3D", kernel_size=3, padding="same", depth_multiplier=2)
    net.add("AveragePooling3D", pool_size=[2, 2, 2])
    net.add("UpSampling3D", size=[2, 2, 2])
    net.add("Cropping3D", cropping=1)
    net.add("SpatialDropout3D", rate=0.2)
    net.add("GlobalAveragePooling3D")
    net.add("Dense", units=3, activation="Softmax")


def volume_maximum(net: Writer) -> None:
    net.add("Conv3D", filters=2, kernel_size=3)
    net.add("GlobalMaxPooling3D")
    net.add("Dense", units=2)


def identity(net: Writer) -> None:
    net.add("Activation", activation="linear")


def autoencoder(net: Writer) -> None:
    net.add("Conv2D", filters=4, kernel_size=3, strides=2, padding="same", activation="relu")
    net.add("Conv2D", filters=6, kernel_size=3, strides=2, padding="same", activation="relu")
    settings = {"kernel_size": 3, "strides": 2, "padding": "same"}
    net.add("Conv2DTranspose", filters=4, activation="relu", **settings)
    net.add("Conv2DTranspose", filters=3, activation="sigmoid", **settings)


def detector(net: Writer) -> None:
    """Add boxes of two scales in one list."""
    large = _conv(net, name="large", filters=4, strides=[2, 2])
    small = _conv(net, name="small", filters=4, strides=[2, 2])
    boxes = []
    for features in (large, small):
        net.add("Conv2D", features, filters=6, kernel_size=[1, 1])
        boxes.append(net.add("Reshape", target_shape=[-1, 6]))
    net.add("Concatenate", *boxes, axis=1)


P, V, L = (16, 16, 3), (8, 8, 8, 1), (12, 2)
"""Shapes of a picture, a volume and a line."""

FIXTURES: dict[str, tuple[Net, str, tuple[int | None, ...]]] = {
    **{
        f"cnn {flavour}": (small_cnn, flavour, P)
        for flavour in (
            *("sequential-2.4", "sequential-2.1", "list", "sequential-3"),
            *("functional-2.4", "functional-3", "model-2.1.5"),
        )
    },
    **{
        f"resnet {flavour}": (resnet, flavour, (32, 32, 3))
        for flavour in ("model-2.1.5", "model-2.3.0-tf", "functional-2.8", "functional-3")
    },
    **{
        f"unet {flavour}": (unet, flavour, P)
        for flavour in (
            *("functional-2.4", "functional-2.8", "functional-2.9", "functional-3"),
            *("model-2.1.5", "model-2.3.0-tf", "model-2.3.1"),
        )
    },
    "unet with open sides": (unet, "functional-2.8", (None, None, 3)),
    **{
        f"{net.__name__} {flavour}": (net, flavour, P)
        for net, flavour in (
            (vgg, "model-2.3.1"),
            (vgg, "sequential-2.4"),
            (densenet, "functional-2.4"),
            (densenet, "model-2.1.5"),
            (mobilenet, "model-2.3.0-tf"),
            (mobilenet, "functional-2.9"),
            (mobilenet, "functional-3"),
            (xception, "functional-2.4"),
            (xception, "model-2.3.1"),
            (inception, "model-2.1.5"),
            (inception, "functional-2.8"),
            (pspnet, "model-2.1.5"),
            (pspnet, "functional-2.9"),
            (yolo, "list"),
            (detector, "functional-2.9"),
            (frozen, "functional-2.8"),
            (frozen, "sequential-3"),
            (merges, "functional-2.9"),
            (merges, "model-2.3.0-tf"),
            (merges, "functional-3"),
            (others, "functional-2.4"),
            (others, "functional-3"),
            (others, "sequential-2.1"),
            (identity, "list"),
            (autoencoder, "sequential-2.4"),
            (autoencoder, "list"),
        )
    },
    **{
        f"{net.__name__} {flavour}": (net, flavour, V)
        for net, flavour in (
            (volume_unet, "functional-2.4"),
            (volume_unet, "model-2.3.1"),
            (volumes, "list"),
            (volumes, "functional-2.8"),
            (volume_maximum, "sequential-2.4"),
        )
    },
    **{
        f"{net.__name__} {flavour}": (net, flavour, L)
        for net, flavour in (
            (one_side, "sequential-2.4"),
            (one_side, "functional-2.9"),
            (one_side_mean, "list"),
        )
    },
    "dense sequential-2.4": (dense, "sequential-2.4", (7,)),
    "dense model-2.1.5": (dense, "model-2.1.5", (7,)),
    "dense functional-3": (dense, "functional-3", (7,)),
}
"""What it is -> how it is made, in which flavour, for inputs of which shape."""


def write(name: str) -> str:
    """Return the text of a fixture."""
    make, flavour, shape = FIXTURES[name]
    net = Writer(flavour, shape, name.partition(" ")[0])
    make(net)
    return net.text()
