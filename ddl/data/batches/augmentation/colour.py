"""Changes of a picture's light, noise and colours."""

from __future__ import annotations

import math

import numpy as np

LUMINANCE = np.array([0.2125, 0.7154, 0.0721])  # ITU-R BT.709, as `ddl.data.pictures.conversion`


def lit(
    rng: np.random.Generator,
    picture: np.ndarray,
    *,
    brightness: float,
    contrast: float,
    gamma: float,
    noise: float,
) -> np.ndarray:
    """Change light and noise; the picture stays between 0 and 1."""
    lighter, sharper, exponent = rng.uniform(-1, 1, 3)
    strength = rng.random()
    if not (brightness or contrast or gamma or noise):
        return picture
    changed = picture
    if gamma:
        changed = np.clip(changed, 0, 1) ** ((1 + gamma) ** exponent)
    if contrast:
        mean = float(changed.mean())
        changed = (changed - mean) * (1 + sharper * contrast) + mean
    changed = changed + lighter * brightness
    if noise:
        changed = changed + rng.normal(size=changed.shape) * (strength * noise)
    return np.asarray(np.clip(changed, 0, 1))


def tinted(drawn: np.ndarray, picture: np.ndarray, *, saturation: float, hue: float) -> np.ndarray:
    """Change saturation and hue of a picture (height, width, 3); the luminance of each pixel stays, up to clipping.

    `drawn` are two uniform numbers.
    """
    stronger, turn = (2 * drawn - 1).tolist()
    matrix = tint_matrix(1 + stronger * saturation, turn * hue).astype(picture.dtype)
    return np.asarray(np.clip(np.einsum("hwc,dc->hwd", picture, matrix), 0, 1))


def tint_matrix(saturation: float, turn: float) -> np.ndarray:
    """Return the matrix (3, 3) that scales the difference from grey, and turns the hue by a part of the whole circle.

    The turn is about the axis of grey, followed by a shift along it that restores the luminance. It is linear: a
    hundredth of the cost of HSV and back.
    """
    angle = 2 * math.pi * turn
    # Rodrigues' formula for the axis (1, 1, 1) / sqrt(3).
    cross = np.array([[0, -1, 1], [1, 0, -1], [-1, 1, 0]]) / math.sqrt(3)
    turned = math.cos(angle) * np.eye(3) + math.sin(angle) * cross + (1 - math.cos(angle)) / 3
    luminance = np.ones((3, 1)) * LUMINANCE
    turned = turned + luminance - luminance @ turned
    return np.asarray(luminance + saturation * (turned - luminance))
