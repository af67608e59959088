"""A set of slices is one text; what no array could be cut by is refused in one line."""

from __future__ import annotations

import pytest

from ddl.data.slicing.slicer import parse_slicers, slicer_text


def test_a_text_says_everything_about_a_set() -> None:
    text = "name='a b' sizes=1,8,6 padded_sizes=1,9,8 strides=1,4,6 discard_remainders=yes transpose=true"
    (slicer,) = parse_slicers([text])
    assert (slicer.name, slicer.sizes, slicer.steps) == ("a b", (1, 8, 6), (1, 4, 6))
    assert (slicer.sample_sides, slicer.discard_remainders) == ((8, 9), True)
    again = slicer_text([1, 8, 6], "a b", (), [1, 9, 8], [1, 4, 6], True, True)
    assert parse_slicers([again]) == (slicer,)


def test_sets_without_a_name_are_numbered() -> None:
    names = [slicer.name for slicer in parse_slicers(["sizes=4", "name=b sizes=4", "sizes=4"])]
    assert names == ["slices_1", "b", "slices_3"]


def test_padding_is_on_both_sides() -> None:
    assert parse_slicers(["sizes=4,5 padding=1,2"])[0].sample_sides == (6, 9)


@pytest.mark.parametrize(
    ("texts", "problem"),
    [
        (["name=a"], "without sizes. Expected: sizes=64,64"),
        (["sizes=4,4 size=3"], "'size'. Expected: sizes, name, padding.*Did you mean 'sizes'"),
        (["sizes=4,x"], "sizes='4,x'. Expected: whole numbers with commas"),
        (["sizes=4,4 sizes=5,5"], "'sizes' of slicer twice"),
        (["sizes=0,4"], "with sizes=0,4. Expected: a whole number of at least 1"),
        (["sizes=4,4 strides=0,4"], "with strides=0,4. Expected: a whole number of at least 1"),
        (["sizes=4,4 padding=-1,0"], "with padding=-1,0. Expected: a whole number of at least 0"),
        (["sizes=4,4 strides=4"], "strides=4 with sizes=4,4. Expected: 2 numbers"),
        (["sizes=4,4 padding=1,1 padded_sizes=6,6"], "padding=1,1 with padded_sizes=6,6. Expected: one"),
        (["sizes=4,4 padded_sizes=3,4"], "padded_sizes=3,4 with sizes=4,4. Expected: at least sizes"),
        (["sizes=1,4 padding=1,1"], "padding=1,1 with sizes=1,4. Expected: no padding where sizes is 1"),
        (["sizes=1,1"], "of which 0 are above 1. Expected: 1 to 3"),
        (["sizes=2,2,2,2"], "of which 4 are above 1. Expected: 1 to 3"),
        (["sizes=4,4,4 transpose=true"], "transpose=true for samples of 3 axes"),
        (["sizes=4,4 transpose=perhaps"], "transpose='perhaps'. Expected: true or false"),
        (["name=a sizes=4", "name=a sizes=4"], "two slicers with name=a. Expected: a name of its own"),
        (["name=slices_2 sizes=4", "sizes=4"], "two slicers with name=slices_2"),
        (["sizes=4,4", "sizes=4"], "with 2 sizes and 'slices_2' with 1. Expected: the same number"),
        (["sizes=4,6", "sizes=6,4"], "samples of 4x6 and 6x4. Expected: one shape; padded_sizes or transpose"),
        (["name=a/b sizes=4"], "name='a/b'. Expected: a name without /"),
        (["name='a sizes=4"], "No closing quotation"),
        (["sizes=4,4 transpose"], "option 'transpose' of slicer. Expected: NAME=VALUE"),
    ],
)  # fmt: skip
def test_what_no_array_could_be_cut_by_is_refused(texts: list[str], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        parse_slicers(texts)
