"""The label is the folder below the one that a tag names, anywhere in the path."""

from __future__ import annotations

from pathlib import Path

import imageio.v3 as iio
import pytest

from ddl.data.sources import format_of, open_source, parse_source_options, splits_of
from tests.data import make

TREE = (
    *("p1/train/cat/1.png", "p1/train/dog/2.png", "p2/train/dog/deep/3.png"),
    *("p1/test/dog/4.png", "p1/other/cow/5.png"),
)


def write(root: Path, names: tuple[str, ...] = TREE) -> Path:
    for number, name in enumerate(names):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        iio.imwrite(root / name, make.picture(number))
    return root


def test_folders_below_the_tag_are_classes(tmp_path: Path) -> None:
    source = open_source(write(tmp_path), "tagged", tag="train", test_tag="test")
    assert source.class_names == ("cat", "dog")
    assert source.read([0, 1, 2])["label"].tolist() == [0, 1, 1]
    assert source.name_of(2) == "p2/train/dog/deep/3.png"
    test = open_source(tmp_path, "tagged", tag="train", test_tag="test", split="test")
    assert (test.read([0])["label"].tolist(), test.class_names) == ([1], ("cat", "dog"))


def test_the_root_itself_may_have_the_tags_name(tmp_path: Path) -> None:
    write(tmp_path)
    assert len(open_source(tmp_path / "p1" / "train", "tagged", tag="train")) == 2


def test_a_tag_in_the_options_is_the_format(tmp_path: Path) -> None:
    options = parse_source_options(write(tmp_path), ["tag=train", "test_tag=test"])
    assert format_of(tmp_path, options) == "tagged"
    assert splits_of(tmp_path, options) == ("train", "test")


@pytest.mark.parametrize(
    ("more", "options", "piece"),
    [
        ((), {"tag": "nowhere"}, "tag 'nowhere' in"),
        (("p3/test/ant/1.png",), {"tag": "train", "test_tag": "test"}, "class 'ant' below test"),
    ],
)
def test_what_does_not_fit_is_refused(
    tmp_path: Path, more: tuple[str, ...], options: dict[str, str], piece: str
) -> None:
    write(tmp_path, (*TREE, *more))
    with pytest.raises(ValueError, match="Received: ") as raised:
        open_source(tmp_path, "tagged", **options, **({"split": "test"} if more else {}))
    assert piece in str(raised.value)
