"""Flips, right angles and warps of a sample's parts: its picture, and its mask if it has one."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy import ndimage

from ddl.boxes.fitting import BORDER
from ddl.data.batches.augmentation.boxes import MovedBoxes

Parts = list[np.ndarray]  # the picture, and its mask if it has one
AXES = ("depth", "height", "width")
# Plane and number of quarter turns that bring each of a cube's six sides to the front.
_SIDES = (((0, 1), 0), ((0, 1), 1), ((0, 1), 2), ((0, 1), 3), ((0, 2), 1), ((0, 2), 3))


def turned(
    rng: np.random.Generator,
    parts: Parts,
    *,
    axes: Sequence[str],
    right_angles: bool,
    boxes: MovedBoxes | None = None,
) -> Parts:
    """Flip along each of these axes with probability 1/2, and rotate by right angles; pixel values do not change."""
    sides = parts[0].shape[:-1]
    flips = rng.random(len(sides)) < 0.5
    turns = int(rng.integers(4))
    plane, quarters = _SIDES[rng.integers(6) if len(sides) == 3 else 0]
    if sides[-2] != sides[-1]:
        turns = turns // 2 * 2
    if len(set(sides)) > 1:
        quarters = 0  # not a cube: rotate only in the plane of height and width

    chosen = tuple(
        axis for axis in np.flatnonzero(flips).tolist() if AXES[axis - len(sides)] in axes
    )
    parts = [np.flip(part, chosen) for part in parts]
    if boxes is not None:
        boxes.flip(rows=0 in chosen, columns=1 in chosen)
        boxes.quarter_turns(turns if right_angles else 0)
    if right_angles:
        parts = [np.rot90(np.rot90(part, quarters, plane), turns, (-3, -2)) for part in parts]
    return parts


def flipped(
    drawn: np.ndarray,
    parts: Parts,
    *,
    horizontal: float,
    vertical: float,
    boxes: MovedBoxes | None = None,
) -> Parts:
    """Flip along the height and the width with these probabilities; `drawn` are two uniform numbers."""
    flips = drawn < (vertical, horizontal)
    axes = tuple(axis for axis, flips_it in zip((-3, -2), flips.tolist(), strict=True) if flips_it)
    if boxes is not None:
        boxes.flip(rows=-3 in axes, columns=-2 in axes)
    return [np.flip(part, axes) for part in parts]


def warped(
    rng: np.random.Generator,
    parts: Parts,
    *,
    rotation_degrees: float,
    zoom: float,
    elastic_pixels: float,
    elastic_smoothness_pixels: float,
    smooth: bool = False,
    boxes: MovedBoxes | None = None,
) -> Parts:
    """Rotate, zoom and deform in one pass, so that pixels are interpolated only once.

    `smooth` says whether the second part has values between those of two pixels, as a mask has not. What comes from
    outside the picture is mirrored; with `boxes` it is grey, because an object in a mirror would have no box.
    """
    shape = parts[0].shape[:-1]
    angle = math.radians(rng.uniform(-1, 1) * rotation_degrees)
    factor = (1 + zoom) ** rng.uniform(-1, 1)
    elastic_seed = int(rng.integers(1 << 62))
    if not (rotation_degrees or zoom or elastic_pixels):
        return parts
    turn = _rotation(angle) if len(shape) == 2 else _rotation_about(rng.normal(size=3), angle)
    places = _turned_places(shape, turn, factor)
    if boxes is not None:
        boxes.warp(turn, factor)
        return _sampled_parts(parts, places, (True,), mode="constant")
    if elastic_pixels:
        elastic = np.random.Generator(np.random.PCG64(elastic_seed))
        places = places + displacement(elastic, shape, elastic_pixels, elastic_smoothness_pixels)
    return _sampled_parts(parts, places, (True, smooth))


def turned_by(parts: Parts, angle: float, *, smooth: Sequence[bool]) -> Parts:
    """Rotate pictures (height, width, channels) clockwise by an angle in radians, each as `smooth` says."""
    shape = parts[0].shape[:-1]
    return _sampled_parts(parts, _turned_places(shape, _rotation(angle), 1.0), smooth)


def _turned_places(shape: tuple[int, ...], turn: np.ndarray, factor: float) -> np.ndarray:
    """Return where each pixel comes from, (axes, *shape): the picture is turned and enlarged about its centre."""
    centre = (np.array(shape) - 1) / 2
    places = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), -1) - centre
    return np.asarray(np.moveaxis(places @ turn.T / factor + centre, -1, 0))


def _sampled_parts(
    parts: Parts, places: np.ndarray, smooth: Sequence[bool], mode: str = "mirror"
) -> Parts:
    """Return the values at these places: linear where values between pixels mean something, else nearest."""
    return [
        _sampled(part, places, 1 if linear else 0, mode)
        for part, linear in zip(parts, smooth, strict=False)
    ]


def displacement(
    rng: np.random.Generator, shape: tuple[int, ...], deviation: float, smoothness: float
) -> np.ndarray:
    """Return each pixel's displacement: smooth noise with the requested standard deviation, (axes, *shape)."""
    noise = rng.normal(size=(len(shape), *shape))
    smooth = ndimage.gaussian_filter(noise, (0, *(smoothness,) * len(shape)), mode="wrap")
    # Smoothing scales the standard deviation by the norm of its kernel.
    impulses = [np.eye(1, side)[0] for side in shape]
    norms = [
        np.linalg.norm(ndimage.gaussian_filter1d(impulse, smoothness, mode="wrap"))
        for impulse in impulses
    ]
    return np.asarray(smooth * (deviation / math.prod(norms)))


def _rotation(angle: float) -> np.ndarray:
    return np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])


def _rotation_about(axis: np.ndarray, angle: float) -> np.ndarray:
    """Return the 3D rotation about an axis of any length except 0 (Rodrigues' formula)."""
    x, y, z = axis / np.linalg.norm(axis)
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.asarray(np.eye(3) + math.sin(angle) * cross + (1 - math.cos(angle)) * cross @ cross)


def _sampled(array: np.ndarray, places: np.ndarray, order: int, mode: str) -> np.ndarray:
    """Return the values of each channel at these places; beyond its edges the array is mirrored, or grey."""
    channels = np.moveaxis(array, -1, 0)
    sampled = [
        ndimage.map_coordinates(c, places, order=order, mode=mode, cval=BORDER) for c in channels
    ]
    return np.stack(sampled, -1)
