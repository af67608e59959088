"""The table of layer kinds that network files may have. No TensorFlow.

A kind says which class of `keras.layers` it becomes, which settings it takes, what it makes of its input's shape, and
which weights it has. What Keras 3 has under another name, or not as a layer, is translated here.
"""

from __future__ import annotations

from typing import Any

from ddl.models.network.kinds.any_sides import OTHER_KINDS
from ddl.models.network.kinds.inner import INNER_KINDS
from ddl.models.network.kinds.kind import Kind
from ddl.models.network.kinds.spatial import kinds_of

KINDS: dict[str, Kind] = {
    **{name: kind for axes in (1, 2, 3) for name, kind in kinds_of(axes).items()},
    **OTHER_KINDS,
}
"""Name of a kind -> what it is. `InputLayer` is none: it is the network's input."""

ALL_KINDS = {**KINDS, **INNER_KINDS}
"""With the kinds that only readers of other files make."""

_PLAIN = {name.lower().replace("_", ""): name for name in KINDS}
_ALIASES = {
    "convolution1d": "Conv1D",
    "convolution2d": "Conv2D",
    "convolution3d": "Conv3D",
    "convolution2dtranspose": "Conv2DTranspose",
    "convolution3dtranspose": "Conv3DTranspose",
    "deconvolution2d": "Conv2DTranspose",
    "separableconvolution1d": "SeparableConv1D",
    "separableconvolution2d": "SeparableConv2D",
    **{f"globalavgpool{axes}d": f"GlobalAveragePooling{axes}D" for axes in (1, 2, 3)},
    **{f"globalmaxpool{axes}d": f"GlobalMaxPooling{axes}D" for axes in (1, 2, 3)},
    **{f"avgpool{axes}d": f"AveragePooling{axes}D" for axes in (1, 2, 3)},
    **{f"maxpool{axes}d": f"MaxPooling{axes}D" for axes in (1, 2, 3)},
    **{
        f"batchnormalization{version}": "BatchNormalization" for version in ("v1", "v2", "v3")
    },  # names of TensorFlow 1.14 and 2.0
    "syncbatchnormalization": "BatchNormalization",
    "silu": "Swish",
}


def find_kind(class_name: Any) -> str | None:
    """Return the kind of a class name, in any case; without the package that a writer puts in front of it."""
    if not isinstance(class_name, str):
        return None
    plain = class_name.rpartition(">")[2].lower().replace("_", "")
    return _PLAIN.get(plain) or _ALIASES.get(plain)
