"""What may be written as a transform, and what a wrong one is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from ddl.data.transforms.chain import Chain, first_resize, fixed_inputs
from ddl.data.transforms.table import TABLE, augmentation_options, parse_transforms

PAGE = (Path(__file__).parents[3] / "docs/data.md").read_text()
EXAMPLES = {
    "resize": "8x8", "normalize": "0.5,0.2", "center_crop": "4", "rotate": "30", "convert_color": "BGR2RGB",
    "jitter_crop": "0.2", "random_zoom": "0.3", "random_horizontal_flip": "0.5",
    "random_vertical_flip": "0.5", "random_rotate": "15", "random_patches": "4,16",
}  # fmt: skip


def test_every_transform_is_made_and_on_the_page() -> None:
    assert set(EXAMPLES) == set(TABLE)
    chain = Chain(both=[f"{name}={value}" for name, value in EXAMPLES.items()])
    assert len(chain.steps) == len(TABLE)
    table = PAGE.partition("### Transforms in order")[2].partition("### What it costs")[0]
    assert [name for name in TABLE if f"`{name}`" not in table] == []


def test_options_of_the_augmentation_are_transforms() -> None:
    assert {"brightness", "pad_crop", "randaugment"} <= set(augmentation_options())
    (brightness,) = Chain(inputs=["brightness=0.2"]).steps
    assert brightness.transform.draws


@pytest.mark.parametrize(
    ("text", "piece"),
    [
        ("resize", "Received: transform 'resize'. Expected: NAME=VALUE."),
        ("rezise=8x8", "Did you mean 'resize'?"),
        ("resize=8x8x8", "such as 128 or 96x128"),
        ("resize=0x8", "such as 128 or 96x128"),
        ("normalize=0.5", "Expected: MEAN,DEVIATION."),
        ("normalize=0,0", "deviation=0.0 for transform normalize. Expected: above 0"),
        (
            "jitter_crop=1",
            "jitter_crop=1.0 for transform jitter_crop. Expected: at least 0, below 1",
        ),
        ("convert_color=BGR2XYZ", "Expected one of: BGR2RGB"),
        ("random_patches=1.5,4", "two whole numbers"),
        ("random_patches=0,4", "number=0.0 for transform random_patches"),
        ("rotate=nan", "rotate=nan for transform rotate. Expected: at least -360"),
        (
            "random_horizontal_flip=2",
            "flip_horizontal=2.0 for augmentation. Expected: at least 0, at most 1",
        ),
        ("central_crop=0.5", "Received: transform 'central_crop'. Expected one of:"),
    ],
)
def test_a_wrong_transform_gets_one_line(text: str, piece: str) -> None:
    with pytest.raises(ValueError, match="Received: ") as raised:
        Chain(both=[text])
    assert piece in str(raised.value)


@pytest.mark.parametrize(
    ("texts", "size"),
    [
        (["resize=8x6"], (8, 6)),
        (
            ["convert_color=BGR2RGB", "random_horizontal_flip=0.5", "normalize=0,2", "resize=8x6"],
            (8, 6),
        ),
        (["center_crop=4x4", "resize=8x6"], None),
        (["normalize=0,2"], None),
    ],
)
def test_a_resize_is_done_on_reading_where_that_is_the_same(texts: list[str], size: object) -> None:
    assert first_resize(texts) == size


def test_a_model_keeps_what_draws_nothing() -> None:
    both = ["resize=8x8", "random_rotate=5", "random_patches=1,2"]
    assert fixed_inputs(both, ["normalize=0,2"]) == ("resize=8x8", "normalize=0,2")


@pytest.mark.parametrize(
    ("lists", "target", "piece"),
    [
        ({"both": ["random_patches=1,2"]}, "mask", "Expected: in transform, with targets=values"),
        (
            {"inputs": ["random_patches=1,2"]},
            "values",
            "Expected: in transform, with targets=values",
        ),
        ({"targets": ["rotate=5"]}, "label", "rotate in target_transform for targets=label"),
        ({"targets": ["random_rotate=5"]}, "mask", "rotation_degrees in target_transform"),
        ({"both": ["randaugment=2,9"]}, "mask", "randaugment for samples with masks"),
    ],
)
def test_targets_that_a_transform_does_not_take_are_refused(
    lists: dict[str, list[str]], target: str, piece: str
) -> None:
    with pytest.raises(ValueError, match="Received: ") as raised:
        Chain(**lists).check(target)
    assert piece in str(raised.value)


def test_parsing_keeps_the_order() -> None:
    names = [stated.name for stated in parse_transforms(["rotate=1", "resize=4x4", "rotate=2"])]
    assert names == ["rotate", "resize", "rotate"]
