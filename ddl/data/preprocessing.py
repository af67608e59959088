"""What turns a picture as it lies on disk into a model's input: one frozen `Preprocessing`, kept with the model.

A training run writes it beside its plan, so that whoever uses the model later does what the run did. It knows nothing
of plans and sources: PostgreSQL loads it too. No TensorFlow here.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from typing import Any

import numpy as np

from ddl.data.pictures.conversion import CHANNELS, Conversion, unit_range
from ddl.data.pictures.picture_file import PIXEL_LIMIT
from ddl.options import convert_fields
from ddl.ranges import Range, check_choice, check_ranges

NAME = "preprocessing.json"
TARGETS = ("mask", "label")
_FORMAT = 1
_RANGES = {
    "axes": Range(2, 3),
    **dict.fromkeys(("channels", "classes", "side_multiple", "least_side"), Range(1)),
}


@dataclass(frozen=True, kw_only=True)
class Preprocessing:
    """From a picture to a model's input, and what the model finds in it.

    Attributes:
        target: "mask" or "label".
        channels: of the input.
        classes: 1 for foreground or not; else how many are told apart.
        axes: 2 of pictures, 3 of volumes.
        bits: 8 or 16 a channel, to which picture files are brought before they are scaled to 0..1.
        image_size: height and width that picture files were brought to; None where they were taken as they are.
        side_multiple: what every side of the input must be a multiple of.
        least_side: that every side of the input must have.
        class_names: a name a class, where the data told them.
        folded: whether the model itself scales pixels: it takes unsigned integers of so many bits in place of 0..1.
    """

    target: str
    channels: int
    classes: int
    axes: int = 2
    bits: int = 8
    image_size: tuple[int, int] | None = None
    side_multiple: int = 1
    least_side: int = 1
    class_names: tuple[str, ...] = ()
    folded: bool = False

    def __post_init__(self) -> None:
        """Give every field its type, and refuse what no model has."""
        convert_fields(self)
        check_ranges(vars(self), _RANGES, "preprocessing")
        check_choice("target", self.target, TARGETS)
        if self.class_names and len(self.class_names) != self.classes:
            raise ValueError(
                f"Received: {len(self.class_names)} class_names of {self.classes} classes. Expected: as many, or none."
            )

    def conversion(
        self, pixel_limit: int = PIXEL_LIMIT, *, resizes: bool = True
    ) -> Conversion | None:
        """Return how picture files are brought to the model's form; None where no picture has its channels.

        Args:
            pixel_limit: larger pictures are refused.
            resizes: whether to the size that the model was trained at, too.
        """
        names = {count: name for name, count in CHANNELS.items()}
        if self.axes != 2 or self.channels not in names:
            return None
        size = self.image_size if resizes else None
        return Conversion(size, names[self.channels], self.bits, pixel_limit=pixel_limit)

    def model_input(self, picture: np.ndarray, *, resizes: bool = True) -> np.ndarray:
        """Return a uint8 or uint16 picture (H, W, 1|3|4) from a file as the model takes it, float32 from 0 to 1."""
        how = self.conversion(resizes=resizes)
        return unit_range(picture if how is None else how.convert(picture))

    def name_of(self, label: int) -> str:
        """Return what a class is called."""
        return self.class_names[label] if self.class_names else str(label)

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {"format": _FORMAT, **dataclasses.asdict(self)}

    def to_json(self) -> str:
        """Return it as a JSON object."""
        return json.dumps(self.to_dict(), indent=2) + "\n"


def preprocessing_from_json(text: str, origin: object = "preprocessing") -> Preprocessing:
    """Return the preprocessing that `to_json` described.

    Raises:
        ValueError: it is none, or of a newer format.
    """
    try:
        values = json.loads(text)
    except ValueError:
        values = None
    if not isinstance(values, dict) or values.pop("format", None) != _FORMAT:
        raise ValueError(
            f"Received: {origin}, which is no preprocessing of format {_FORMAT}. Expected: what a training or an "
            "export wrote."
        )
    known = [field.name for field in dataclasses.fields(Preprocessing)]
    unknown = [name for name in values if name not in known]
    missing = [name for name in ("target", "channels", "classes") if name not in values]
    if unknown or missing:
        wrong = f"unknown {unknown[0]!r}" if unknown else f"no {missing[0]!r}"
        raise ValueError(f"Received: {origin} with {wrong}. Expected: {', '.join(known)}.")
    return Preprocessing(**values)
