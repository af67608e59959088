"""TFRecord shards are read in any order; what is damaged is named by shard and place."""

from __future__ import annotations

import gzip
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ddl.data.inputs_and_targets import count_classes
from ddl.data.sources import detect_format, open_source, splits_of
from ddl.data.sources.records import record_file
from tests.data import make
from tests.data.sources.records import record_files as files
from tests.data.sources.records.record_files import example, record, shard


def test_shards_are_read_in_any_order(tmp_path: Path) -> None:
    folder = files.shards(tmp_path / "in")
    assert detect_format(folder) == "tfrecord"
    assert splits_of(folder) == ("train", "validation")
    source = open_source(folder)
    assert len(source) == 7
    wanted = [6, 0, 3, 3, 4]
    batch = source.read(wanted)
    assert np.array_equal(batch["image"], files.pictures(wanted))
    assert batch["label"].tolist() == [0, 0, 0, 0, 1]
    assert source.read([])["image"].shape == (0, 12, 16, 3)
    assert count_classes(source) == 3
    held_out = open_source(folder, split="validation")
    assert np.array_equal(held_out.read([1, 0])["image"], files.pictures([8, 7]))


@pytest.mark.parametrize(
    "name",
    ["cifar10-train.tfrecord-00000-of-00001", "train.tfrecord", "data_training-00000-of-00001"],
)
def test_other_names_of_training_shards(tmp_path: Path, name: str) -> None:
    shard(tmp_path / name, [files.picture_example(0)])
    assert splits_of(tmp_path) == ("train",)
    assert len(open_source(tmp_path)) == 1


def test_a_single_file_has_no_splits(tmp_path: Path) -> None:
    path = shard(tmp_path / "some.tfrecord", [files.picture_example(0), files.picture_example(1)])
    assert splits_of(path) == ()
    assert len(open_source(path)) == 2


def test_labels_from_1_and_other_names_of_features(tmp_path: Path) -> None:
    source = open_source(files.shards(tmp_path / "in", base=1), label_base=1)
    assert source.read_column("label").tolist() == [0, 1, 2, 0, 1, 2, 0]
    path = shard(tmp_path / "a.tfrecord", [example(png=files.encoded(4), kind=2)])
    batch = open_source(path, keys=("png", "kind")).read([0])
    assert np.array_equal(batch["image"], files.pictures([4]))
    assert batch["label"].tolist() == [2]


RAW: dict[str, tuple[Callable[[int], bytes], dict[str, Any]]] = {
    "shape in the record": (lambda n: files.raw_example(n, height=12, width=16, depth=3), {}),
    "shape given": (files.raw_example, {"raw_shape": (12, 16, 3)}),
    "channels first": (
        lambda n: example(image=make.picture(n).transpose(2, 0, 1).tobytes(), label=n % 3),
        {"raw_shape": (12, 16, 3), "channels_first": True},
    ),
}


@pytest.mark.parametrize("case", RAW)
def test_bare_bytes(tmp_path: Path, case: str) -> None:
    write, options = RAW[case]
    path = shard(tmp_path / "a.tfrecord", map(write, range(4)))
    batch = open_source(path, **options).read([3, 1])
    assert np.array_equal(batch["image"], files.pictures([3, 1]))
    assert batch["label"].tolist() == [0, 1]


def test_pictures_are_resized_and_their_channels_converted(tmp_path: Path) -> None:
    texts = [files.encoded(0), files.encoded(1, height=20), files.encoded(2, "JPEG")]
    path = shard(tmp_path / "a.tfrecord", (example(image=text, label=0) for text in texts))
    source = open_source(path, image_size=(6, 8), channels="grey")
    assert source.read([2, 1, 0])["image"].shape == (3, 6, 8, 1)


def test_a_flipped_byte_is_named_by_shard_and_place(tmp_path: Path) -> None:
    folder = files.shards(tmp_path / "in")
    path, place = folder / "train-00001-of-00002", len(record(files.picture_example(4)))
    files.flipped(path, path.read_bytes().index(files.encoded(5)) + 30)
    source = open_source(folder)  # pictures are not read for the index
    assert source.read([4])["label"].tolist() == [1]
    message = rf"train-00001-of-00002, where the content of the record at byte {place} does not"
    with pytest.raises(ValueError, match=message):
        source.read([4, 5])


def test_a_flipped_byte_around_the_label_is_named_when_the_index_is_made(tmp_path: Path) -> None:
    path = shard(tmp_path / "a.tfrecord", [files.picture_example(0), files.picture_example(1)])
    files.flipped(path, path.read_bytes().rindex(b"image/class/label") - 1)
    place = len(record(files.picture_example(0)))
    with pytest.raises(ValueError, match=rf"the content of the record at byte {place} does not"):
        open_source(path)


def test_a_length_that_changes_after_indexing_is_named(tmp_path: Path) -> None:
    folder = files.shards(tmp_path / "in")
    source = open_source(folder)
    files.flipped(folder / "train-00000-of-00002", 1)
    with pytest.raises(
        ValueError, match=r"00000-of-00002, where the length of the record at byte 0"
    ):
        source.read([0])


def bad(
    name: str = "train-00000-of-00001", *texts: bytes, tail: bytes = b""
) -> Callable[..., Path]:
    def given(tmp: Path) -> Path:
        (tmp / name).write_bytes(b"".join(map(record, texts)) + tail)
        return tmp

    return given


GOOD = files.picture_example(0)
HUGE = record(GOOD, length=1 << 40)
BAD: dict[str, tuple[Callable[[Path], Path], dict[str, Any], str]] = {
    "empty": (bad(), {}, "train-00000-of-00001, which is empty. Expected: records"),
    "a folder": (
        lambda tmp: (tmp / "train.tfrecord").mkdir() or tmp,
        {},
        "train.tfrecord, which cannot be read (Is a directory)",
    ),
    "cut short in a header": (
        bad(tail=record(GOOD) + b"1234"),
        {},
        f"which ends at byte {len(record(GOOD)) + 4}, within the record at byte {len(record(GOOD))}",
    ),
    "cut short in data": (bad(tail=record(GOOD)[:-9]), {}, "within the record at byte 0"),
    "a length flipped": (
        bad(tail=b"\7" + record(GOOD)[1:]),
        {},
        "the length of the record at byte 0 does not match its checksum",
    ),
    "a length flipped later": (
        bad(tail=record(GOOD) + b"\7" + record(GOOD)[1:]),
        {},
        f"the length of the record at byte {len(record(GOOD))} does not match its checksum",
    ),
    "a huge length": (bad(tail=HUGE), {}, "at byte 0 has 1099511627776 bytes. Expected: at most"),
    "compressed": (bad(tail=gzip.compress(record(GOOD))), {}, "which is compressed, so that"),
    "text": (bad(tail=b"no records, but a text"), {}, "byte 0 does not match its checksum"),
    "no example": (bad("train.tfrecord", b"\x0b"), {}, "is no tf.train.Example (a field of the un"),
    "no known features": (
        bad("train.tfrecord", example(x=b"a", y=1)),
        {},
        "whose records have x, y. Expected: image/encoded and image/class/label, or ",
    ),
    "features not there": (
        bad("train.tfrecord", GOOD),
        {"keys": ("picture", "label")},
        "Expected: picture, label; or name picture and label",
    ),
    "a label missing later": (
        bad("train.tfrecord", GOOD, example(image__encoded=b"a")),
        {},
        f"the record at byte {len(record(GOOD))} has no integer 'image/class/label'",
    ),
    "labels of text": (
        bad("train.tfrecord", example(image=files.encoded(0), label=b"cat")),
        {},
        "has no integer 'label'. Expected: one label per record",
    ),
    "pictures of integers": (
        bad("train.tfrecord", example(image=3, label=1)),
        {},
        "no bytes 'image'",
    ),
    "a damaged picture": (
        bad("train.tfrecord", example(image=files.encoded(0)[:60], label=1)),
        {},
        "train.tfrecord, the picture of the record at byte 0, which is damaged or not a picture",
    ),
    "bare bytes without shape": (
        bad("train.tfrecord", files.raw_example(0)),
        {},
        "has 576 bytes of picture, which are no JPEG, PNG, GIF or TIFF, and not those of 0x0x1",
    ),
    "bare bytes of another shape": (
        bad("train.tfrecord", files.raw_example(0)),
        {"raw_shape": (12, 16, 1)},
        "and not those of 12x16x1",
    ),
    "a shape of two sides": (
        bad("train.tfrecord", files.raw_example(0)),
        {"raw_shape": (12, 16)},
        "raw_shape=(12, 16). Expected: height, width and channels",
    ),
    "a shard missing": (
        bad("train-00000-of-00002", GOOD),
        {},
        "without shard 1 of 2 for split=train. Expected: all of them, such as train-00000-of-00002",
    ),
    "two sets": (
        lambda tmp: bad("a-train-00000-of-00001", GOOD)(tmp) and bad("b-train.tfrecord", GOOD)(tmp),
        {"format": "tfrecord"},
        "with a-train of 1 and b-train of 1 for split=train. Expected: one set",
    ),
    "another split": (
        bad("train.tfrecord", GOOD),
        {"split": "test"},
        "split='test'",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_what_cannot_be_read_gets_one_line(tmp_path: Path, case: str) -> None:
    write, options, message = BAD[case]
    with pytest.raises(ValueError, match=r"^Received: .*Expected") as caught:
        open_source(write(tmp_path), **options)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_two_sizes_are_named(tmp_path: Path) -> None:
    texts = [files.encoded(0), files.encoded(1, height=20)]
    path = shard(tmp_path / "a.tfrecord", (example(image=text, label=0) for text in texts))
    with pytest.raises(
        ValueError, match=r"has 16 x 20 pixels, the first one 16 x 12\. Expected: one"
    ):
        open_source(path).read([1])


def test_a_record_beyond_the_limit_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(record_file, "RECORD_BYTES", 100)
    path = shard(tmp_path / "a.tfrecord", [files.picture_example(0)])
    with pytest.raises(ValueError, match=r"at byte 0 has \d+ bytes\. Expected: at most 100"):
        open_source(path)


def test_memory_is_two_numbers_a_record(tmp_path: Path) -> None:
    count = 20_000
    text = record(example(image_raw=bytes(4 * 4 * 3), label=1, height=4, width=4, depth=3))
    (tmp_path / "train.tfrecord").write_bytes(text * count)
    open_source(tmp_path)  # makes the index
    tracemalloc.start()
    source = open_source(tmp_path)
    for index in range(0, count, 1000):
        source.read([index])
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(source) == count
    assert held < 40 * count
