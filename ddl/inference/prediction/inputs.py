"""What is predicted: a folder, a list of files, one picture or volume, or the samples of HDF5, .npy and .npz files.

Nothing is opened before its turn but what has to be to know how many there are. No TensorFlow here.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ddl.data.pictures.listing import is_picture
from ddl.data.pictures.picture_file import SUFFIXES
from ddl.data.pictures.picture_rows import open_rows
from ddl.data.preprocessing import Preprocessing
from ddl.data.source import Source
from ddl.data.sources import open_source
from ddl.data.sources.npy import map_array
from ddl.inference.tiles.tiling import Rows

_ARRAYS = (".npz", ".h5", ".hdf5")
_STACKS = (".tif", ".tiff")


@dataclass(frozen=True)
class Item:
    """One picture or volume.

    Attributes:
        name: that its outputs get, without suffix: a relative path with /.
        origin: what people call it.
        open: opens it as it is stored, channels last.
        is_file: whether it is a picture file, which the preprocessing converts; else an array, taken as stored.
    """

    name: str
    origin: str
    open: Callable[[], AbstractContextManager[Rows]]
    is_file: bool


def find_items(path: Path, preprocessing: Preprocessing, pixel_limit: int) -> list[Item]:
    """Return what there is to predict, in an order that is the same on every rank.

    Args:
        path: a folder (of pictures and .npy files, at any depth; `name_mask.*` and a folder `masks/` beside `images/`
            are left out), a .txt or .lst file with a path a line, a picture, or an HDF5, .npy or .npz file.
        preprocessing: of the model, which tells pictures from volumes and one picture from many.
        pixel_limit: picture files with more pixels are refused when their turn comes.

    Raises:
        ValueError: there is nothing, or nothing that this model takes.
    """
    reader = _Reader(preprocessing, pixel_limit)
    if path.is_dir():
        items = [reader.item(one, one.relative_to(path)) for one in _files_in(path)]
    elif path.suffix.lower() in (".txt", ".lst"):
        items = [reader.item(one, Path(one.name)) for one in _listed(path)]
    elif not path.is_file():
        raise ValueError(f"Received: {path}, which does not exist. Expected: pictures.")
    elif path.suffix.lower() in _ARRAYS:
        items = _samples(open_source(path), path)
    elif path.suffix.lower() == ".npy":
        items = reader.arrays(path)
    elif is_picture(path):
        items = [reader.item(path, Path(path.name))]
    else:
        raise ValueError(
            f"Received: {path}, which is no picture. Expected: a folder, a list (.txt), .npy, .npz, .h5, or a picture "
            f"({', '.join(SUFFIXES)})."
        )
    if not items:
        raise ValueError(f"Received: {path}, which holds no pictures. Expected: some.")
    _check_names(items)
    return items


class _Reader:
    """Makes items of files."""

    def __init__(self, preprocessing: Preprocessing, pixel_limit: int) -> None:
        self._how, self._pixel_limit = preprocessing, pixel_limit

    def item(self, path: Path, name: Path) -> Item:
        """Return a file that is one picture or volume."""
        stem = name.with_suffix("").as_posix()
        if path.suffix.lower() == ".npy":
            return Item(stem, str(path), lambda: self._open_array(path), is_file=False)
        if self._how.axes == 3:
            return Item(stem, str(path), lambda: _open_stack(path, self._how), is_file=False)
        return Item(stem, str(path), lambda: open_rows(path, self._pixel_limit), is_file=True)

    def arrays(self, path: Path) -> list[Item]:
        """Return the pictures of an .npy file: one, or as many as its first axis is long."""
        if map_array(path).ndim != self._how.axes + 2:
            return [self.item(path, Path(path.name))]
        return _samples(open_source(path), path)

    @contextlib.contextmanager
    def _open_array(self, path: Path) -> Iterator[Rows]:
        yield _with_channels(map_array(path), self._how, path)


def _samples(source: Source, path: Path) -> list[Item]:
    digits = max(5, len(str(len(source) - 1)))

    def opener(index: int) -> Callable[[], AbstractContextManager[Rows]]:
        @contextlib.contextmanager
        def open_sample() -> Iterator[Rows]:
            yield source.read([index])["image"][0]

        return open_sample

    return [
        Item(f"{index:0{digits}d}", f"sample {index} of {path}", opener(index), is_file=False)
        for index in range(len(source))
    ]


def _files_in(folder: Path) -> list[Path]:
    pictures = folder / "images"
    root = pictures if pictures.is_dir() and (folder / "masks").is_dir() else folder
    found = (one for one in root.rglob("*") if one.is_file())
    return sorted(
        one
        for one in found
        if (is_picture(one) or (one.suffix == ".npy" and not one.name.startswith(".")))
        and not one.stem.endswith("_mask")
        and not any(part.startswith(".") for part in one.relative_to(root).parts)
    )


def _listed(path: Path) -> list[Path]:
    """Return the files that a list names, one a line, relative to the list; lines that begin with # are left out."""
    try:
        lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]
    except UnicodeDecodeError as error:
        raise ValueError(
            f"Received: {path}, which is no text. Expected: a file with a path a line."
        ) from error
    named = [path.parent / line for line in lines if line and not line.startswith("#")]
    for one in named:
        if not (is_picture(one) or one.suffix == ".npy"):
            raise ValueError(
                f"Received: {one} in {path}, which is no picture. Expected: names that end in {', '.join(SUFFIXES)} "
                "or .npy."
            )
    return named


def _check_names(items: Sequence[Item]) -> None:
    name, times = Counter(item.name for item in items).most_common(1)[0]
    if times > 1:
        same = [item.origin for item in items if item.name == name]
        raise ValueError(
            f"Received: {same[0]} and {same[1]}, whose results would have one name. Expected: names that differ; "
            "rename one."
        )


@contextlib.contextmanager
def _open_stack(path: Path, how: Preprocessing) -> Iterator[Rows]:
    """Open a TIFF whose pages are the slices of a volume: mapped if it is stored plainly, else held."""
    import tifffile

    if path.suffix.lower() not in _STACKS:
        raise ValueError(
            f"Received: {path} for a model of volumes. Expected: a TIFF of several pages, or .npy."
        )
    try:
        volume: np.ndarray = tifffile.memmap(path, mode="r")
    except ValueError:
        try:
            volume = tifffile.imread(path)
        except Exception as error:  # whatever a strange file makes tifffile raise
            why = " ".join(str(error).split())[:160]
            raise ValueError(
                f"Received: {path}, which is no whole TIFF ({why}). Expected: one."
            ) from error
    yield _with_channels(volume, how, path)


def _with_channels(array: np.ndarray, how: Preprocessing, path: Path) -> np.ndarray:
    """Return one picture or volume with an axis of channels."""
    if array.ndim == how.axes and how.channels == 1:
        return array[..., None]
    if array.ndim == how.axes + 1 and array.shape[-1] == how.channels:
        return array
    axes = "height x width" if how.axes == 2 else "depth x height x width"
    raise ValueError(
        f"Received: {path} of shape {'x'.join(map(str, array.shape))}. Expected: {axes} x {how.channels}, which the "
        "model takes."
    )
