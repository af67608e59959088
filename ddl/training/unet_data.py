"""The pictures and masks of a `UnetPlan`: made from its seed, or read from where it says. No TensorFlow here."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ddl.data.samples import ArraySamples, MaskSamples
from ddl.data.source import Source, Subset
from ddl.data.sources import detect_format, open_source
from ddl.data.splits import split_samples
from ddl.data.synthetic import microscope_pictures
from ddl.training.plan import UnetPlan

_PICTURE_FILES = ("pairs", "folders")


@dataclass(frozen=True)
class UnetData:
    """What is trained on and what is only looked at."""

    training: Source
    validation: Source

    @property
    def picture_shape(self) -> tuple[int, int, int]:
        """Height, width and channels of every picture."""
        height, width, channels = next(iter(self.training.fields.values())).shape
        return height, width, channels


def open_data(plan: UnetPlan) -> UnetData:
    """Open the plan's data, and check that they fit the network.

    Raises:
        ValueError: with what was found, what is expected and what to do.
    """
    if plan.data == "synthetic":
        count = plan.samples
        images, masks = microscope_pictures(
            count + plan.validation_samples, plan.image_size, plan.seed
        )
        return UnetData(
            ArraySamples(images[:count], masks[:count]), ArraySamples(images[count:], masks[count:])
        )
    training, validation = _split_sources(plan)
    data = UnetData(MaskSamples(training), MaskSamples(validation))
    _check_shapes(data, plan)
    return data


def _split_sources(plan: UnetPlan) -> tuple[Source, Source]:
    path = Path(plan.data)
    form = detect_format(path)
    if form == "hdf5":
        try:
            return open_source(path, split="train"), open_source(path, split="validation")
        except ValueError as error:
            if "split" not in str(error):
                raise  # the file is damaged; without splits of its own it gets ours below
    size = (plan.image_size, plan.image_size)
    source = open_source(path, form, **({"image_size": size} if form in _PICTURE_FILES else {}))
    splits = split_samples(len(source), plan.validation_part, 0, plan.seed)
    return Subset(source, (splits == 0).nonzero()[0]), Subset(source, (splits == 1).nonzero()[0])


def _check_shapes(data: UnetData, plan: UnetPlan) -> None:
    shape, mask = (field.shape for field in data.training.fields.values())
    if len(shape) != 3 or mask != (*shape[:2], 1):
        raise ValueError(
            f"Received: pictures of shape {shape} with masks of {mask} from {plan.data}. Expected: "
            "(height, width, channels) with (height, width, 1)."
        )
    unit = 1 << plan.depth
    if any(side % unit for side in shape[:2]):
        raise ValueError(
            f"Received: pictures of {shape[0]}x{shape[1]} from {plan.data} and depth={plan.depth}. Expected: sides "
            f"that 2**depth = {unit} divides. Prepare them at another size, or take a smaller depth."
        )
