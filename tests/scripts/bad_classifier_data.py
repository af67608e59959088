"""Data of classifiers that a training cannot take: CIFAR, ImageNet, TFRecord, folders of archives, splits."""

from __future__ import annotations

import pickle
import tarfile
from pathlib import Path

import numpy as np

from tests.data import make
from tests.data.sources.array_files import cifar_files
from tests.data.sources.array_files.cifar_files import member
from tests.data.sources.picture_folders import test_split_classes as roots
from tests.data.sources.records import record_files
from tests.scripts.spoiled import Given, Row

TRAIN = "train_resnet --run-dir run "
IN, TAR = TRAIN + "--data in ", TRAIN + "--data c.tar.gz "
RECORD = record_files.record(record_files.picture_example(0))


def cifar(**changes: bytes | None) -> Given:
    return lambda here: cifar_files.folder(here / "in", **changes)


def cifar_100(**changes: bytes | None) -> Given:
    return lambda here: cifar_files.folder(here / "in", 100, **changes)


def archive(name: str, **attributes: object) -> Given:
    """Write an archive with one more member."""
    more = member(name, **attributes)  # type: ignore[arg-type]
    return lambda here: cifar_files.archive(here / "c.tar.gz", more=(more,))


def pickled(here: Path) -> None:
    (here / "in").mkdir()
    (here / "in/data_batch_1").write_bytes(pickle.dumps({"data": [1]}))


def cut_archive(here: Path) -> None:
    path = cifar_files.archive(here / "c.tar.gz")
    path.write_bytes(path.read_bytes()[:-4000])


def shard(data: bytes, name: str = "train-00000-of-00001") -> Given:
    def given(here: Path) -> None:
        (here / "in").mkdir()
        (here / "in" / name).write_bytes(data)

    return given


def objects(here: Path) -> None:
    (here / "in").mkdir()
    np.savez(here / "in/a.npz", x=np.zeros((2, 3, 8, 8), np.uint8), y=np.array([{}, {}]))


def mnist(here: Path) -> None:
    make.idx(here / "in")


def root(here: Path) -> None:
    roots.root(here / "in")


def flat(text: str | None) -> Given:
    return lambda here: roots.flat(here / "in", text)


CLASSIFIER_DATA = [
    Row(
        IN,
        "data_batch_2.bin of 3072 bytes. Expected: a multiple of 3073",
        cifar(data_batch_2=b"a" * 3072),
    ),
    Row(IN, "data_batch_1.bin of 0 bytes", cifar(data_batch_1=b"")),
    Row(
        IN,
        "without data_batch_5.bin. Expected: all files of the train split",
        cifar(data_batch_5=None),
    ),
    Row(IN, "label 10 in sample 0 of ", cifar(data_batch_3=cifar_files.record(1, 10))),
    Row(IN, "label 100 in sample 0 of ", cifar_100(train=cifar_files.record(1, 0, 100))),
    Row(IN + "--data-option labels=coarse", "labels=coarse for CIFAR-10", cifar()),
    Row(IN + "--data-option split=validation", "Expected one of: train, test", cifar()),
    Row(IN, "is pickled: to load it can run any code. Expected: the binary", pickled),
    Row(TAR, "which is damaged or cut short", cut_archive),
    Row(TAR, "is a link. Expected: files", archive("a", type=tarfile.SYMTYPE, linkname="/etc")),
    Row(TAR, "a file '../a'. Expected: names inside the archive", archive("../a")),
    Row(
        TAR + "--data-option memory_limit=9",
        "or 9 bytes. Expected: less; raise --data-option mem",
        archive("a"),
    ),
    Row(IN, "train-00000-of-00001, which is empty. Expected: records", shard(b"")),
    Row(IN, "the length of the record at byte 0 does not match", shard(b"\1" + RECORD[1:])),
    Row(
        IN,
        "the content of the record at byte 0 does not match",
        shard(RECORD[:-9] + b"a" + RECORD[-8:]),
    ),
    Row(IN, "within the record at byte 0. Expected: a whole TFRecord", shard(RECORD[:-1])),
    Row(IN, "without shard 0 of 2 for split=train", shard(RECORD, "train-00001-of-00002")),
    Row(
        IN + "--data-option split=test",
        "split='test' for in. Expected one of: train",
        shard(RECORD),
    ),
    Row(IN, "which is not an array of numbers (values of Python objects)", objects),
    Row(IN + "--data-option split=val", "split='val'. Expected one of: train, test", mnist),
    Row(
        IN + "--validation-data in --data-option split=test",
        "in for validation, whose split=test is trained on. Expected: --data-option split=train",
        mnist,
    ),
    Row(IN + "--fold 1", "fold=1 of in, which has no folds", mnist),
    Row(
        IN + "--validation-part 0.2", "validation_part=0.2 of in, which has splits of its own", root
    ),
    Row(IN, "val with 3 pictures and no class folders", flat(None)),
    Row(IN, "class 'owl' in line 2 of ", flat("a cat\nb owl\nc emu")),
    Row(IN + "--data-option class_map=map.txt", "map.txt, which cannot be read", root),
    Row(IN + "--data-option label_base=one", "label_base='one'. Expected: a whole number", root),
    Row(
        TRAIN + "--data synthetic-labels --data-option classes=1", "classes=1 for synthetic labels"
    ),
    Row(
        TRAIN + "--data synthetic-labels --data-option sizes=8",
        "Received: 'sizes'. Expected: split, count",
    ),
    Row(
        TRAIN + "--data synthetic-labels --image-size 8x8x8",
        "Expected: a side, or height and width",
    ),
    Row(
        "train_unet --run-dir run --data synthetic-labels",
        "image and mask. (For the others there is",
    ),
]
