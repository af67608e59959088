"""The keys of a transform and of a slicer."""

from __future__ import annotations

from ddl.config.json_run.keys.key import Key, Section
from ddl.data.transforms.colour_codes import COLOUR_CODES
from ddl.ranges import Range

_FRACTION = Range(0, 1, below=True)
_PROBABILITY = Range(0, 1)

CONVERSIONS = tuple(COLOUR_CODES)

_NORMALIZE = Section(
    "data.transforms.normalize",
    "subtracts `mean` and divides by `std`",
    (
        Key("mean", "float", "what is subtracted", default=0.0),
        Key("std", "float", "what the rest is divided by", default=1.0, range=Range(0, above=True)),
    ),
)
_PATCHES = Section(
    "data.transforms.random_patches",
    "patches that are cut out",
    (
        Key("number", "int", "how many patches", range=Range(1), needed=True),
        Key("size", "int", "their side in pixels", range=Range(1), needed=True),
    ),
)
TRANSFORM = Section(
    "data.transforms",
    "one step of the preparation of a sample; exactly one key each",
    (
        Key(
            "resize",
            "ints",
            "size: width, height; the other order where only that one fits the network",
            "resize=HxW",
            range=Range(1),
            length=2,
        ),
        Key("normalize", "object", "(x - mean) / std", "normalize=MEAN,STD", section=_NORMALIZE),
        Key(
            "center_crop",
            "ints",
            "middle part: width, height, as `resize`",
            "center_crop=HxW",
            range=Range(1),
            length=2,
        ),
        Key("rotate", "float", "degrees, clockwise", "rotate=DEGREES", range=Range(-360, 360)),
        Key(
            "convert_color",
            "name",
            "conversion of colours",
            "convert_color=NAME",
            choices=CONVERSIONS,
        ),
        Key(
            "jitter_crop",
            "float",
            "largest part that is cut off at random, in training",
            "jitter_crop=PART",
            range=_FRACTION,
        ),
        Key(
            "random_zoom",
            "float",
            "largest part by which samples are enlarged at random, in training",
            "random_zoom=PART",
            range=_FRACTION,
        ),
        Key(
            "random_horizontal_flip",
            "float",
            "probability of a mirror image, left to right, in training",
            "random_horizontal_flip=P",
            range=_PROBABILITY,
        ),
        Key(
            "random_vertical_flip",
            "float",
            "probability of a mirror image, top to bottom, in training",
            "random_vertical_flip=P",
            range=_PROBABILITY,
        ),
        Key(
            "random_rotate",
            "float",
            "largest rotation at random in degrees, in training",
            "random_rotate=DEGREES",
            range=Range(0, 360),
        ),
        Key(
            "random_patches",
            "object",
            "inputs lose square patches, and targets are what is lost",
            "random_patches=NUMBER,SIZE",
            section=_PATCHES,
        ),
    ),
    is_single=True,
)

SLICER = Section(
    "data.slicers",
    "a set of blocks that are cut out of one large array; all numbers one an axis, without the channels",
    (
        Key("name", "text", "name of the set, and of its data set in `hdf5_outfile`", "name=NAME"),
        Key(
            "sizes",
            "ints",
            "size of a block; 1 leaves the axis out",
            "sizes=A,B,C",
            range=Range(1),
            needed=True,
        ),
        Key(
            "padding",
            "ints",
            "zeros around a block, on both sides",
            "padding=A,B,C",
            range=Range(0),
        ),
        Key(
            "padded_sizes",
            "ints",
            "size of a block with zeros around it, in place of `padding`",
            "padded_sizes=A,B,C",
            range=Range(1),
        ),
        Key(
            "strides",
            "ints",
            "distance from block to block; by default `sizes`",
            "strides=A,B,C",
            range=Range(1),
        ),
        Key(
            "discard_remainders",
            "bool",
            "leave out what does not fill a block; else it is filled up with zeros",
            "discard_remainders=true",
            default=False,
        ),
        Key(
            "transpose",
            "bool",
            "exchange the axes of 2D blocks before the network, and back after it",
            "transpose=true",
            default=False,
        ),
    ),
)
