"""The networks of `keras.applications` that a U-Net can use as encoder, and how each scales pictures. No TensorFlow."""

from __future__ import annotations

from ddl.ranges import check_choice

# Our pictures are from 0 to 1. The published weights were trained on other scales, which Keras calls:
#   "caffe": 0..255, blue first, minus ImageNet's mean;  "tf": -1..1;  "torch": minus mean, divided by deviation;
#   "raw": 0..255, which the model scales itself.
_CAFFE = ("ResNet50", "ResNet101", "ResNet152", "VGG16", "VGG19")
_TF = (
    "NASNetMobile",
    "NASNetLarge",
    "MobileNet",
    "MobileNetV2",
    "ResNet50V2",
    "ResNet101V2",
    "ResNet152V2",
)
_TORCH = ("DenseNet121", "DenseNet169", "DenseNet201")
_RAW = (
    "MobileNetV3Small",
    "MobileNetV3Large",
    *(f"EfficientNetB{size}" for size in range(8)),
    *(f"EfficientNetV2{size}" for size in ("B0", "B1", "B2", "B3", "S", "M", "L")),
    *(f"ConvNeXt{size}" for size in ("Tiny", "Small", "Base", "Large", "XLarge")),
)

ENCODERS: dict[str, tuple[str, str]] = {
    name.lower(): (name, pictures)
    for pictures, names in {"caffe": _CAFFE, "tf": _TF, "torch": _TORCH, "raw": _RAW}.items()
    for name in names
}
"""Name -> class in `keras.applications`, and its picture scaling."""

REFUSED = ("inceptionv3", "inceptionresnetv2", "xception")
"""Networks that crop the edges in their convolutions."""

_ALIASES = {"efficientnet": "efficientnetb0", "efficientnetv2": "efficientnetv2b0"}


def find_encoder(name: str) -> tuple[str, str]:
    """Return the class's name in `keras.applications` and its picture scaling."""
    key = name.lower()
    key = _ALIASES.get(key, key)
    if key in REFUSED:
        raise ValueError(
            f"Received: encoder={name!r}, which crops the edges, so its features do not align with the picture. "
            f"Expected one of: {', '.join(ENCODERS)}."
        )
    check_choice("encoder", key, ENCODERS)
    return ENCODERS[key]
