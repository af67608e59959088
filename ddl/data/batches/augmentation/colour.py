"""Changes of a picture's light and noise."""

from __future__ import annotations

import numpy as np


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
