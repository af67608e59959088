"""Every source says in one line what it was taken for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import h5py
import imageio.v3 as iio
import numpy as np
import pytest

from ddl.data.batches.sample_cache import cached
from ddl.data.box_samples import BoxSamples
from ddl.data.description import describe_numbers
from ddl.data.equations.input_samples import InputSamples
from ddl.data.inputs_and_targets import LabelSamples, MaskSamples
from ddl.data.source import Field, Source, Subset
from ddl.data.sources import FORMATS, detect_format, open_source
from tests.data import make
from tests.data.boxes import box_files
from tests.data.sources.array_files import cifar_files
from tests.data.sources.records import record_files

LINES: dict[str, tuple[Callable[[Path], Path | str], str]] = {
    "pairs": (make.pairs, "5 pictures with masks, 12x16 RGB"),
    "folders": (make.folders, "5 pictures with masks, 12x16 RGB"),
    "classes": (make.classes, "2 classes: cat (2), dog (3); pictures of 12x16 RGB"),
    "npy": (lambda t: make.npy(t / "a"), "5 pictures with masks, 12x16 RGB"),
    "npz": (lambda t: make.npz(t / "a.npz"), "5 pictures with masks, 12x16 RGB"),
    "hdf5": (lambda t: make.hdf5(t / "a.h5"), "5 pictures with masks, 12x16 RGB"),
    "idx": (
        lambda t: make.idx(t / "a"),
        "5 classes: 0 (1), 1 (1), 2 (1), 3 (1), 4 (1); pictures of 12x16 grey",
    ),
    "cifar": (
        lambda t: cifar_files.folder(t / "a", batches=None),
        "10 classes: 0 (2), 1 (2), 2 (2), 3 (2), 4 (2), 5 (2), 6 (2), 7 (2), 8 (2), 9 (2); pictures of 32x32 RGB",
    ),
    "npz-folder": (
        lambda t: make.npz(t / "a.npz") and make.npz(t / "b.npz").parent,
        "10 pictures with masks, 12x16 RGB",
    ),
    "split-classes": (
        lambda t: make.classes(t / "train").parent,
        "2 classes: cat (2), dog (3); pictures of 12x16 RGB",
    ),
    "tfrecord": (
        record_files.shards,
        "3 classes: 0 (3), 1 (2), 2 (2); pictures of 12x16 RGB",
    ),
    "synthetic-labels": (
        lambda _: "synthetic-labels",
        f"10 classes: {', '.join(f'{n} ({103 if n < 4 else 102})' for n in range(10))}; pictures of 32x32 RGB",
    ),
    "synthetic-boxes": (
        lambda _: "synthetic-boxes",
        "300 pictures with boxes of 3 classes: disk (368), ring (363), rod (352); 96x96 RGB",
    ),
    **{
        name: (
            lambda t, write=write: write(t / "a"),
            "4 pictures with boxes of 3 classes: disk (3), ring (4), rod (4); 40x60 RGB",
        )
        for name, write in box_files.WRITERS.items()
    },
    "synthetic": (lambda _: "synthetic", "256 pictures with masks, 96x96 RGB, float32"),
    "synthetic-3d": (lambda _: "synthetic-3d", "32 volumes with masks, 32x32x32 grey, float32"),
    "diffusion-maps": (lambda _: "diffusion-maps", "64 maps of a diffusion coefficient, 32x32"),
    "diffusion-maps-3d": (
        lambda _: "diffusion-maps-3d",
        "16 maps of a diffusion coefficient, 16x16x16",
    ),
    "burgers": (lambda _: "burgers", "64 waves for Burgers' equation, 64"),
    "faces": (
        lambda _: "faces",
        "2 classes: other (100), face (100); pictures of 25x25 grey, float32",
    ),
}


def test_every_format_says_what_it_was_taken_for() -> None:
    assert set(LINES) == set(FORMATS) - {
        "pictures",
        "tagged",
        "channels-first",
        "delimited",
    }  # elsewhere


@pytest.mark.parametrize("name", LINES)
def test_what_was_read_is_said_in_one_line(tmp_path: Path, name: str) -> None:
    write, line = LINES[name]
    path = write(tmp_path)
    assert detect_format(Path(path)) == name
    with_line = open_source(path)
    assert with_line.describe() == line
    for view in (Subset(with_line, [1, 0]), cached(with_line, "memory"), samples(with_line)):
        assert view.describe() == line
    with_line.close()


def samples(source: Source) -> Source:
    if len(source.fields) == 1:
        return InputSamples(source)
    if "boxes" in source.fields:
        return BoxSamples(source, 3)
    return MaskSamples(source) if "mask" in source.fields else LabelSamples(source, 10)


def test_the_form_of_the_files_is_said_where_they_are_converted(tmp_path: Path) -> None:
    for index in range(2):
        iio.imwrite(tmp_path / f"{index}.png", make.picture(index, 30, 40, 1)[..., 0])
        iio.imwrite(tmp_path / f"{index}_mask.png", make.mask(index, 30, 40))
    grey = open_source(tmp_path, channels="grey")
    assert grey.describe() == "2 pictures with masks, 30x40 grey"
    small = open_source(tmp_path, image_size=(16, 16))
    assert small.describe() == "2 pictures with masks, 30x40 grey, read as 16x16 RGB"


def test_a_source_of_ones_own_says_it_too() -> None:
    class Own(Source):
        fields = dict.fromkeys(("image", "mask"), Field((48, 48, 1), np.dtype(np.float32)))

        def __len__(self) -> int:
            return 1

        def read(self, indices: object) -> dict[str, np.ndarray]:
            raise AssertionError("Nothing has to be read.")

    assert Own().describe() == "1 picture with masks, 48x48 grey, float32"


def test_inputs_that_are_no_pictures_and_many_classes(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["image"], file["label"] = np.zeros((14, 4, 4, 5), np.uint16), np.arange(14)
    with open_h5(tmp_path / "a.h5") as source:
        assert source.describe() == (
            "14 classes: 0 (1), 1 (1), 2 (1), 3 (1), 4 (1), 5 (1), 6 (1), 7 (1), 8 (1), 9 (1) and 4 more; pictures "
            "of 4x4 with 5 channels, 16 bits"
        )


def open_h5(path: Path):  # type: ignore[no-untyped-def]
    import contextlib

    return contextlib.closing(open_source(path))


@pytest.mark.parametrize(
    ("numbers", "words"),
    [((), ""), ((0,), "0"), ((3, 1, 0, 2, 255), "0 to 3, 255"), ((0, 2), "0, 2")],
)
def test_numbers_are_said_as_runs(numbers: tuple[int, ...], words: str) -> None:
    assert describe_numbers(numbers) == words
