"""Which of `keras.applications` can carry a U-Net, and what pictures each was trained on. Loads no framework."""

from __future__ import annotations

from pathlib import Path

from ddl.ranges import check_choice

# Every model's pictures come in 0..1. What the published weights saw instead, by Keras's own names:
#   "caffe": 0..255, blue first, minus the mean of ImageNet;  "tf": -1..1;  "torch": minus mean, over deviation;
#   "raw": 0..255, because the model scales inside.
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
"""Name -> class in `keras.applications`, and the pictures that it expects."""

REFUSED = {
    name.lower(): f"{name}'s convolutions cut the edges off, so its features fit no picture"
    for name in ("InceptionV3", "InceptionResNetV2", "Xception")
}
"""Name -> why it cannot carry a U-Net."""

_ALIASES = {"efficientnet": "efficientnetb0", "efficientnetv2": "efficientnetv2b0"}


def find_encoder(name: str) -> tuple[str, str]:
    """Return the class's name in `keras.applications` and the pictures that it expects."""
    key = name.lower()
    key = _ALIASES.get(key, key)
    if key in REFUSED:
        raise ValueError(
            f"Received: encoder={name!r}. {REFUSED[key]}. Expected one of: {', '.join(ENCODERS)}."
        )
    check_choice("encoder", key, ENCODERS)
    return ENCODERS[key]


def check_weights_file(weights_file: str | None) -> None:
    """Refuse a file that is not on this machine."""
    if weights_file is not None and not Path(weights_file).is_file():
        raise ValueError(
            f"Received: weights_file={weights_file}, which is no file. Expected: a file of weights on this machine "
            "(nothing is downloaded), or none."
        )
