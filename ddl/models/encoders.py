"""The networks of `keras.applications` that a U-Net can use as encoder. No TensorFlow."""

from __future__ import annotations

from ddl.models.published import PUBLISHED
from ddl.ranges import check_choice

REFUSED = ("inceptionv3", "inceptionresnetv2", "xception")
"""Networks that crop the edges in their convolutions."""

ENCODERS: dict[str, tuple[str, str]] = {
    name: (one.application, one.scaling) for name, one in PUBLISHED.items() if name not in REFUSED
}
"""Name -> class in `keras.applications`, and its picture scaling."""

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
