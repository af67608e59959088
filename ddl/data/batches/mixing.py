"""Mixup and CutMix: pairs of samples of a global batch are blended, and so are their labels. Pure NumPy.

    mixing = Mixing(mixup=0.2, cutmix=1.0)
    blend = mixing.blend((32, 32), seed=0, epoch=3, step=17)
    pictures, labels = mixed(blend, pictures, pictures[partners], labels, labels[partners])

`ddl.data.sharding.partner_positions` says who is mixed with whom. All draws are from (seed, epoch, step), so the result
depends neither on the number of ranks nor on threads or a resume.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ddl.ranges import Range, check_ranges

_STREAM = 0x6D6978  # separates these draws from others with the same seed
_RANGES = {
    **dict.fromkeys(("mixup", "cutmix"), Range(0, 1000)),
    "mosaic": Range(0, 1),
    "probability": Range(0, 1, above=True),
    "switch": Range(0, 1),
    "off_epochs": Range(0),
}


@dataclass(frozen=True)
class Blend:
    """How the samples of one step are mixed with their partners.

    Attributes:
        share: weight of a sample's own label; its partner's has the rest.
        area: rows and columns of the pixels that come from the partner (CutMix); None to blend all pixels (Mixup).
    """

    share: float
    area: tuple[slice, slice] | None = None


@dataclass(frozen=True)
class Mixing:
    """Mixing in the batch: `mixup` and `cutmix` for samples with labels, `mosaic` for samples with boxes.

    Attributes:
        mixup: alpha of Mixup (Zhang et al. 2017), which blends whole pictures; 0 for none; often 0.2.
        cutmix: alpha of CutMix (Yun et al. 2019), which pastes a rectangle of the partner; 0 for none; often 1.
        probability: probability that the batch of a step is mixed.
        switch: probability of CutMix in place of Mixup, where both are above 0.
        off_epochs: number of epochs at the end of the run that are not mixed.
        mosaic: probability that a picture with boxes becomes parts of four; 0 for none; often 0.5 to 1.
    """

    mixup: float = 0.0
    cutmix: float = 0.0
    probability: float = 1.0
    switch: float = 0.5
    off_epochs: int = 0
    mosaic: float = 0.0

    def __post_init__(self) -> None:
        check_ranges(vars(self), _RANGES, "mix")
        if not (self.mixup or self.cutmix or self.mosaic):
            raise ValueError(
                "Received: mix without mixup or cutmix. Expected: the alpha of one of them, such as mixup=0.2 or "
                "cutmix=1; or mosaic=0.5 for boxes."
            )
        for name in ("mixup", "cutmix", "probability") if self.mosaic else ():
            if getattr(self, name) != getattr(type(self), name):
                raise ValueError(
                    f"Received: mix with mosaic={self.mosaic:g} and {name}={getattr(self, name):g}. Expected: mosaic "
                    "for boxes, or the others for labels."
                )
        if self.switch != type(self).switch and not (self.mixup and self.cutmix):
            raise ValueError(
                f"Received: mix with switch={self.switch:g} and only one of mixup and cutmix. Expected: both, or no "
                "switch."
            )

    @property
    def group(self) -> int:
        """Number of samples that are mixed into one."""
        return 4 if self.mosaic else 2

    def blend(self, sides: tuple[int, int], *, seed: int, epoch: int, step: int) -> Blend | None:
        """Return how the global batch of a step is mixed, or None if it is not. `sides` are height and width."""
        rng = np.random.Generator(np.random.PCG64([seed, epoch, step, _STREAM]))
        is_on, is_cut = rng.random() < self.probability, rng.random() < self.switch
        if not self.mixup or not self.cutmix:
            is_cut = bool(self.cutmix)
        if not is_on:
            return None
        alpha = self.cutmix if is_cut else self.mixup
        share = float(rng.beta(alpha, alpha))
        if not is_cut:
            return Blend(share)
        area = _rectangle(rng, sides, 1 - share)
        pasted = math.prod(part.stop - part.start for part in area)
        return Blend(1 - pasted / math.prod(sides), area)


def _rectangle(
    rng: np.random.Generator, sides: tuple[int, int], fraction: float
) -> tuple[slice, slice]:
    """Return a rectangle with this fraction of the area, around a random pixel; it ends at the picture's edges."""
    parts = []
    for side in sides:
        length, centre = int(side * math.sqrt(fraction)), int(rng.integers(side))
        start = centre - length // 2
        parts.append(slice(max(0, start), min(side, start + length)))
    return parts[0], parts[1]


def mixed(
    blend: Blend,
    pictures: np.ndarray,
    partner_pictures: np.ndarray,
    labels: np.ndarray,
    partner_labels: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Return pictures (N, height, width, channels) and labels (N, classes) mixed with those of their partners."""
    return (
        _mixed_pictures(blend, pictures, partner_pictures),
        _blended(labels, partner_labels, blend.share),
    )


def _mixed_pictures(blend: Blend, pictures: np.ndarray, others: np.ndarray) -> np.ndarray:
    if blend.area is None:
        return _blended(pictures, others, blend.share)
    result = pictures.copy()
    place = (slice(None), *blend.area)
    result[place] = others[place]
    return result


def _blended(own: np.ndarray, other: np.ndarray, share: float) -> np.ndarray:
    first, second = own.dtype.type(share), own.dtype.type(1 - share)
    result = own * first
    result += other * second
    return np.asarray(result)
