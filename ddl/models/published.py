"""The networks of `keras.applications`: how each scales pictures, and for which size it is published. No TensorFlow."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Published:
    """A network of `keras.applications`.

    Attributes:
        application: its class there.
        scaling: how it scales pictures, see below.
        size: length of each side that it is published for, in pixels.
        least: minimum length of each side.
    """

    application: str
    scaling: str
    size: int = 224
    least: int = 32


# Our pictures are from 0 to 1. The published weights were trained on other scales, which Keras calls:
#   "caffe": 0..255, blue first, minus ImageNet's mean;  "tf": -1..1;  "torch": minus mean, divided by deviation;
#   "raw": 0..255, which the model scales itself.
_ALL = (
    *(Published(f"ResNet{depth}", "caffe") for depth in (50, 101, 152)),
    *(Published(f"VGG{depth}", "caffe") for depth in (16, 19)),
    Published("NASNetMobile", "tf"),
    Published("NASNetLarge", "tf", 331),
    Published("MobileNet", "tf"),
    Published("MobileNetV2", "tf"),
    *(Published(f"ResNet{depth}V2", "tf") for depth in (50, 101, 152)),
    Published("InceptionV3", "tf", 299, 75),
    Published("InceptionResNetV2", "tf", 299, 75),
    Published("Xception", "tf", 299, 71),
    *(Published(f"DenseNet{depth}", "torch") for depth in (121, 169, 201)),
    Published("MobileNetV3Small", "raw"),
    Published("MobileNetV3Large", "raw"),
    *(
        Published(f"EfficientNetB{number}", "raw", size)
        for number, size in enumerate((224, 240, 260, 300, 380, 456, 528, 600))
    ),
    *(
        Published(f"EfficientNetV2{kind}", "raw", size)
        for kind, size in zip(
            ("B0", "B1", "B2", "B3", "S", "M", "L"),
            (224, 240, 260, 300, 384, 480, 480),
            strict=True,
        )
    ),
    *(Published(f"ConvNeXt{size}", "raw") for size in ("Tiny", "Small", "Base", "Large", "XLarge")),
)

PUBLISHED: dict[str, Published] = {one.application.lower(): one for one in _ALL}
"""Name -> network; the name is its class's in lower case."""

_OURS = (
    *("resnet50", "resnet101", "resnet152", "vgg16", "vgg19"),
    *("densenet121", "densenet169", "densenet201"),
)

APPLICATIONS: dict[str, Published] = {
    name: one for name, one in PUBLISHED.items() if name not in _OURS
}
"""Those that are classifiers here as Keras builds them; this package builds the others itself."""

WITH_DROP_PATH = tuple(name for name in APPLICATIONS if name.startswith("efficientnet"))
WITH_DROPOUT = tuple(
    name
    for name in APPLICATIONS
    if name.startswith(("efficientnet", "mobilenet")) and name != "mobilenetv2"
)
WITHOUT_BATCH_NORM = tuple(name for name in APPLICATIONS if name.startswith("convnext"))
"""Names whose networks have stochastic depth, dropout, and no batch normalization."""
