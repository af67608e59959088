"""How a picture file becomes a model's input: one frozen `Preprocessing`, stored with the model.

A training run writes it beside its plan, so that later users of the model convert pictures in the same way. It does not
import plans or sources, because PostgreSQL loads it too. No TensorFlow here.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ddl.data.normalization import Normalization
from ddl.data.pictures.conversion import CHANNELS, Conversion, central_crop, unit_range
from ddl.data.value_range import check_range, scale_values
from ddl.files import parse_json
from ddl.options import convert_fields
from ddl.ranges import Range, check_choice, check_ranges

if TYPE_CHECKING:
    from ddl.boxes.layout import Layout

NAME = "preprocessing.json"
GENERATOR = "generator"
"""Target of a model that makes pictures of latent vectors."""
TARGETS = ("mask", "label", "values", "boxes", GENERATOR)
ACTIVATIONS = ("none", "exp", "sigmoid", "softmax")
"""For outputs that are probabilities, log-probabilities, and logits of separate channels or of classes."""
_FORMAT = 1
_LATER = (
    *("central_crop", "colour_order", "resampling", "transforms", "fills_picture"),
    *("channels_first", "activation", "layout", "category_ids", "fit"),
)
"""Fields that are left out at their defaults, as earlier versions wrote it."""
_RANGES = {
    "axes": Range(1, 3),
    **dict.fromkeys(("channels", "classes", "side_multiple", "least_side"), Range(1)),
    "central_crop": Range(0, 1, above=True),
}


@dataclass(frozen=True, kw_only=True)
class Preprocessing:
    """How a picture becomes a model's input, and what the model predicts.

    Attributes:
        target: "mask", "label", "values", "boxes" or "generator".
        channels: number of input channels.
        classes: 1 for foreground and background; otherwise the number of classes, or of values.
        axes: 1 for lines, 2 for pictures, 3 for volumes.
        bits: 8 or 16 per channel, to which picture files are converted before scaling to 0..1.
        range: stored values that become 0 and 1; None for the whole range of a picture's own type.
        image_size: height and width to which picture files were resized; None without resizing.
        side_multiple: every side of the input must be a multiple of this.
        least_side: minimum length of every side of the input.
        class_names: a name per class, if known from the data.
        folded: whether the model scales pixels itself: it takes unsigned integers of `bits` bits instead of 0..1.
        mean: mean of each channel over the training samples, which is subtracted from pixels of 0..1; None for a model
            that takes these as they are. A folded model subtracts it itself.
        deviation: deviation of each channel, by which they are then divided; None with `mean`.
        central_crop: fraction of height and width of `image_size` that the model takes, the middle.
        activation: what turns the model's output into probabilities: "exp" for logarithms of them, "sigmoid" or
            "softmax" for logits, "none" where it gives probabilities.
        colour_order: "rgb" or "bgr": the order of colours in which picture files are read.
        resampling: how picture files are resized to `image_size`: "area" or "bilinear".
        transforms: what a picture goes through after it was scaled, before mean and deviation, in this order, such as
            "normalize=0.5,0.2".
        fills_picture: whether predictions have the sides of the model's input, as masks have.
        channels_first: whether arrays in files have their channels first, as the training data.
        layout: of a model of boxes, how its output is to be read: the values of `ddl.boxes.layout.Layout.to_dict`.
        category_ids: of a model of boxes, the number that each class has in the files of the training data.
        fit: how pictures come to `image_size`: "stretch" changes the ratio of their sides, "letterbox" adds a border.
    """

    target: str
    channels: int
    classes: int
    axes: int = 2
    bits: int = 8
    range: tuple[float, float] | None = None
    image_size: tuple[int, int] | None = None
    side_multiple: int = 1
    least_side: int = 1
    class_names: tuple[str, ...] = ()
    folded: bool = False
    mean: tuple[float, ...] | None = None
    deviation: tuple[float, ...] | None = None
    central_crop: float = 1.0
    activation: str = "none"
    colour_order: str = "rgb"
    resampling: str = "area"
    transforms: tuple[str, ...] = ()
    fills_picture: bool = True
    channels_first: bool = False
    layout: Mapping[str, Any] | None = None
    category_ids: tuple[int, ...] = ()
    fit: str = "stretch"

    def __post_init__(self) -> None:
        """Convert every field to its type, and refuse invalid values."""
        convert_fields(self)
        check_ranges(vars(self), _RANGES, "preprocessing")
        check_choice("target", self.target, TARGETS)
        check_choice("activation", self.activation, ACTIVATIONS)
        if self.transforms:  # rarely: PostgreSQL loads as little as it can
            from ddl.data.transforms.table import parse_transforms

            parse_transforms(self.transforms)
        check_range(self.range)
        if self.class_names and len(self.class_names) != self.classes:
            raise ValueError(
                f"Received: {len(self.class_names)} class_names for {self.classes} classes. "
                "Expected: one per class, or none."
            )
        self._check_normalization()
        self._check_boxes()

    @property
    def normalization(self) -> Normalization | None:
        """What pixels of 0..1 go through before they enter the network; None for nothing."""
        if self.mean is None or self.deviation is None:
            return None
        return Normalization(self.mean, self.deviation)

    def conversion(self, *, resizes: bool = True) -> Conversion | None:
        """Return the conversion of picture files; None if no picture can have the model's channels.

        With `resizes`, pictures are also resized to the size used in training.
        """
        names = {count: name for name, count in CHANNELS.items()}
        if self.axes != 2 or self.channels not in names:
            return None
        size = self.image_size if resizes else None
        return Conversion(
            size,
            names[self.channels],
            self.bits,
            range=self.range,
            colour_order=self.colour_order,
            resampling=self.resampling,
        )

    def array_input(self, values: np.ndarray) -> np.ndarray:
        """Convert a stored array to the model's input, float32 from 0 to 1."""
        return unit_range(values) if self.range is None else scale_values(values, self.range)

    def model_input(self, picture: np.ndarray, *, resizes: bool = True) -> np.ndarray:
        """Convert a uint8 or uint16 picture (H, W, 1|3|4) to the model's input, float32 from 0 to 1."""
        how = self.conversion(resizes=resizes)
        values = unit_range(picture if how is None else how.convert(picture))
        return self.middle(values) if resizes else values

    def transformed(self, picture: np.ndarray) -> np.ndarray:
        """Return a picture of 0 to 1 after `transforms`."""
        if not self.transforms:
            return picture
        from ddl.data.transforms.chain import apply_to_input

        return apply_to_input(self.transforms, picture)

    @property
    def pixel_transforms(self) -> tuple[str, ...]:
        """Those of `transforms` that change each pixel by itself, so that pictures may be cut into tiles before.

        Raises:
            ValueError: one of the others moves pixels, and is not the resize to `image_size`.
        """
        if not self.transforms:
            return ()
        from ddl.data.transforms.chain import moves_pixels
        from ddl.data.transforms.table import is_resize_to

        kept = []
        for text in self.transforms:
            if not moves_pixels(text):
                kept.append(text)
            elif not is_resize_to(text, self.image_size):
                raise ValueError(
                    f"Received: a model whose inputs go through {text}. Expected: a model of labels, or one without "
                    "this transform: predictions are written for whole pictures. scripts/evaluate.py applies it."
                )
        return tuple(kept)

    @property
    def model_channels(self) -> int:
        """Number of channels after `transforms`."""
        if not self.transforms:
            return self.channels
        from ddl.data.transforms.chain import channels_after

        return channels_after(self.transforms, self.channels)

    def middle(self, picture: np.ndarray) -> np.ndarray:
        """Return the part that the model takes of a picture of `image_size`; others stay as they are."""
        if self.central_crop == 1 or picture.shape[:2] != self.image_size:
            return picture
        return np.ascontiguousarray(central_crop(picture, self.central_crop))

    def name_of(self, label: int) -> str:
        """Return the name of a class."""
        return self.class_names[label] if self.class_names else str(label)

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON values; without range, mean, crop or activation as earlier versions wrote it."""
        values = dataclasses.asdict(self)
        for name in ("range", "mean", "deviation"):
            if values[name] is None:
                del values[name]
        for name in _LATER:
            if values[name] == getattr(type(self), name) or values[name] is None:
                del values[name]
        return {"format": _FORMAT, **values}

    def to_json(self) -> str:
        """Return it as a JSON object."""
        return json.dumps(self.to_dict(), indent=2) + "\n"

    @property
    def box_layout(self) -> Layout:
        """How the output of a model of boxes is to be read."""
        from ddl.boxes.layout import layout_from_dict  # PostgreSQL loads as little as it can

        return layout_from_dict(self.layout or {})

    def _check_boxes(self) -> None:
        """Refuse a model of boxes without a layout, and what only such a model has for others."""
        if (self.target == "boxes") != (self.layout is not None):
            has = "without a layout" if self.layout is None else "with a layout of boxes"
            raise ValueError(
                f"Received: a model of {self.target} {has}. Expected: a layout for boxes alone, as a training run "
                "writes it."
            )
        if self.layout is None:
            return
        try:
            fits = self.box_layout.classes == self.classes
        except (KeyError, TypeError, ValueError, AttributeError):
            fits = False
        if not fits or len(self.category_ids) not in (0, self.classes):
            raise ValueError(
                f"Received: layout={self.layout}, category_ids={self.category_ids} for {self.classes} classes. "
                "Expected: a layout of these classes, and a number for each of them or none."
            )

    def _check_normalization(self) -> None:
        """Refuse means and deviations that cannot be those of the model's channels."""
        if self.mean is None and self.deviation is None:
            return
        mean, deviation = self.mean or (), self.deviation or ()
        fits = len(mean) == len(deviation) == self.model_channels
        if not (fits and all(map(math.isfinite, mean + deviation)) and min(deviation) > 0):
            raise ValueError(
                f"Received: mean={self.mean}, deviation={self.deviation} for {self.model_channels} channels. Expected: "
                "one finite number of each per channel, deviations above 0; or none."
            )


def preprocessing_from_json(text: str, origin: object = "preprocessing") -> Preprocessing:
    """Return the preprocessing that `to_json` wrote.

    Raises:
        ValueError: the text is not a preprocessing, or has a newer format.
    """
    try:
        values = parse_json(text)
    except ValueError:
        values = None
    if not isinstance(values, dict) or values.pop("format", None) != _FORMAT:
        raise ValueError(
            f"Received: {origin}, which is not a preprocessing of format {_FORMAT}. Expected: a file written by a "
            "training run or an export."
        )
    known = [field.name for field in dataclasses.fields(Preprocessing)]
    unknown = [name for name in values if name not in known]
    missing = [name for name in ("target", "channels", "classes") if name not in values]
    if unknown or missing:
        wrong = f"unknown {unknown[0]!r}" if unknown else f"no {missing[0]!r}"
        raise ValueError(f"Received: {origin} with {wrong}. Expected: {', '.join(known)}.")
    return Preprocessing(**values)
