"""Augmentations for the tests: all options together, one at a time, and random ones."""

from __future__ import annotations

from hypothesis import strategies as st

from ddl.data.batches.augmentation import Augmentation

EVERYTHING = Augmentation(
    **dict.fromkeys(("flip", "right_angles"), True),
    rotation_degrees=30.0,
    zoom=0.3,
    elastic_pixels=2.0,
    brightness=0.2,
    contrast=0.3,
    gamma=0.4,
    noise=0.1,
    crop_size=(32, 24),
)
EACH = [
    {"flip": True},
    {"right_angles": True},
    {"rotation_degrees": 30.0},
    {"zoom": 0.3},
    {"elastic_pixels": 2.0},
    {"brightness": 0.2},
    {"contrast": 0.3},
    {"gamma": 0.4},
    {"noise": 0.1},
    {"crop_size": (32, 24)},
    {"flip_axes": ("width",)},
]
EXACT = Augmentation(flip=True, right_angles=True, crop_size=(20, 30))
AUGMENTATIONS = st.builds(
    Augmentation,
    flip=st.booleans(),
    right_angles=st.booleans(),
    rotation_degrees=st.floats(0, 180),
    zoom=st.floats(0, 0.9),
    elastic_pixels=st.floats(0, 5),
    elastic_smoothness_pixels=st.floats(0.5, 40),
    brightness=st.floats(0, 1),
    contrast=st.floats(0, 1),
    gamma=st.floats(0, 3),
    noise=st.floats(0, 1),
    crop_size=st.none() | st.tuples(st.integers(1, 20), st.integers(1, 30)),
    crop_foreground=st.floats(0, 1),
)
