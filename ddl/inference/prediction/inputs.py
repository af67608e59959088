"""Inputs of a prediction: a folder, a list of files, one picture or volume, or samples of HDF5, .npy and .npz files.

Files are opened when they are predicted; only array files are opened earlier, to count their samples. No TensorFlow
here.
"""

from __future__ import annotations

import dataclasses
import functools
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ddl.data.pictures import stack_file
from ddl.data.pictures.listing import is_picture, two_folders
from ddl.data.pictures.picture_file import SUFFIXES
from ddl.data.pictures.picture_rows import open_rows
from ddl.data.preprocessing import Preprocessing
from ddl.data.source import Source
from ddl.data.sources import open_source
from ddl.data.sources.array_files.channels_first import open_arrays
from ddl.data.sources.array_files.npy import map_array
from ddl.data.sources.array_files.single_arrays import SUFFIXES as ARRAY_SUFFIXES
from ddl.data.sources.picture_folders.pictures import has_pictures
from ddl.files import check_regular, read_text
from ddl.inference.tiles.tiling import Rows

_ARRAYS = (".npz", ".h5", ".hdf5")


@dataclass(frozen=True)
class Item:
    """One picture or volume to predict.

    Attributes:
        name: name of its results without suffix: a relative path with /.
        origin: its description for messages: a path, or "sample 3 of data.h5".
        open: opens it as stored, channels last.
        is_file: True for a picture file, which the preprocessing converts; False for an array, used as stored.
    """

    name: str
    origin: str
    open: Callable[[], AbstractContextManager[Rows]]
    is_file: bool


def find_items(
    path: Path,
    preprocessing: Preprocessing,
    pixel_limit: int,
    keys: tuple[str, ...] | None = None,
) -> list[Item]:
    """Return the pictures or volumes to predict, in the same order on every rank.

    Args:
        path: a folder (pictures and .npy files at any depth, without `name_mask.*`; where `images/` and `masks/` stand
            side by side, by these or other names, only the pictures), a .txt or .lst file with one path per line, a
            picture, or an HDF5, .npy or .npz file.
        preprocessing: that of the model; decides between pictures and volumes, and between one array and many.
        pixel_limit: picture files with more pixels are refused when they are opened.
        keys: names of the inputs in an HDF5 or .npz file.

    Raises:
        ValueError: there are no inputs, or the model does not accept them.
    """
    check_regular(path)
    item = functools.partial(_item, how=preprocessing, pixel_limit=pixel_limit)
    suffix, options = path.suffix.lower(), _keys_of(path, keys)
    if preprocessing.channels_first and _holds_arrays(path):
        items = _arrays(path, preprocessing)
    elif path.is_dir():
        items = [item(file, file.relative_to(path)) for file in _files_in(path)]
    elif suffix in (".txt", ".lst"):
        items = [item(file, Path(file.name)) for file in _listed(path)]
    elif not path.is_file():
        raise ValueError(f"Received: {path}, which does not exist. Expected: pictures.")
    elif suffix in _ARRAYS or (suffix == ".npy" and map_array(path).ndim == preprocessing.axes + 2):
        items = _samples(open_source(path, **options), path, preprocessing)
    elif suffix == ".npy" or is_picture(path):
        items = [item(path, Path(path.name))]
    else:
        raise ValueError(
            f"Received: {path}, which is not a supported input. Expected: a folder, a list (.txt), .npy, .npz, .h5, or "
            f"a picture ({', '.join(SUFFIXES)})."
        )
    if not items:
        raise ValueError(f"Received: {path}, which holds no pictures. Expected: at least one.")
    _check_names(items)
    return items


def _item(path: Path, name: Path, how: Preprocessing, pixel_limit: int) -> Item:
    """Return the item of a file that holds one picture or volume."""
    stem = name.with_suffix("").as_posix()
    if path.suffix.lower() == ".npy":
        return Item(stem, str(path), functools.partial(_open_array, path, how), is_file=False)
    if how.axes == 3:
        return Item(stem, str(path), functools.partial(_open_stack, path, how), is_file=False)
    return Item(stem, str(path), functools.partial(open_rows, path, pixel_limit), is_file=True)


def _holds_arrays(path: Path) -> bool:
    """Return whether a path is a file of arrays, or a folder without pictures."""
    if path.is_dir():
        return not has_pictures(path)
    return path.is_file() and path.suffix.lower() in ARRAY_SUFFIXES


def _arrays(path: Path, how: Preprocessing) -> list[Item]:
    """Return an item for each array with the channels first, under its own name."""
    source = open_arrays(path, axes=how.axes)
    return [
        Item(
            source.name_of(index),
            f"{source.name_of(index)} of {path}",
            functools.partial(_open_sample, source, index, how),
            is_file=False,
        )
        for index in range(len(source))
    ]


def _keys_of(path: Path, keys: tuple[str, ...] | None) -> dict[str, Any]:
    """Return the option of an HDF5 or .npz file; refuse keys for another file."""
    if not keys:
        return {}
    if path.suffix.lower() not in _ARRAYS:
        raise ValueError(
            f"Received: keys={','.join(keys)} for {path}. Expected: an HDF5 or .npz file."
        )
    return {"keys": keys}


def _samples(source: Source, path: Path, how: Preprocessing) -> list[Item]:
    """Return an item for each sample. A file that `prepare_data` scaled by a range is not scaled again."""
    if source.value_range is not None:
        how = dataclasses.replace(how, range=None)
    digits = max(5, len(str(len(source) - 1)))
    return [
        Item(
            f"{index:0{digits}d}",
            f"sample {index} of {path}",
            functools.partial(_open_sample, source, index, how),
            is_file=False,
        )
        for index in range(len(source))
    ]


def _files_in(folder: Path) -> list[Path]:
    two = two_folders(folder)
    root = two.pictures if two.pictures and two.masks else folder
    return sorted(
        path
        for path in root.rglob("*")
        if path.is_file()
        and (is_picture(path) or (path.suffix == ".npy" and not path.name.startswith(".")))
        and not path.stem.endswith("_mask")
        and not any(part.startswith(".") for part in path.relative_to(root).parts)
    )


def _listed(path: Path) -> list[Path]:
    """Return the files of a list: one path per line, relative to the list. Lines that begin with # are comments."""
    try:
        lines = [line.strip() for line in read_text(path).splitlines()]
    except UnicodeDecodeError as error:
        raise ValueError(
            f"Received: {path}, which is not a text file. Expected: a text file with one path per line."
        ) from error
    files = [path.parent / line for line in lines if line and not line.startswith("#")]
    for file in files:
        if not (is_picture(file) or file.suffix == ".npy"):
            raise ValueError(
                f"Received: {file} in {path}, which is not a picture. Expected: names that end in "
                f"{', '.join(SUFFIXES)} or .npy."
            )
    return files


def _check_names(items: Sequence[Item]) -> None:
    name, times = Counter(item.name for item in items).most_common(1)[0]
    if times > 1:
        same = [item.origin for item in items if item.name == name]
        raise ValueError(
            f"Received: {same[0]} and {same[1]}, whose results would have the same name. Expected: different names; "
            "rename one."
        )


@contextmanager
def _open_sample(source: Source, index: int, how: Preprocessing) -> Iterator[Rows]:
    yield _scaled(source.read([index])["image"][0], how)


@contextmanager
def _open_array(path: Path, how: Preprocessing) -> Iterator[Rows]:
    yield _scaled(_with_channels(map_array(path), how, path), how)


@contextmanager
def _open_stack(path: Path, how: Preprocessing) -> Iterator[Rows]:
    """Open a TIFF whose pages are the slices of a volume: memory-mapped if it is uncompressed, else read whole."""
    check_regular(path)
    if path.suffix.lower() not in stack_file.SUFFIXES:
        raise ValueError(
            f"Received: {path} for a model of volumes. Expected: a multi-page TIFF, or .npy."
        )
    yield _scaled(_with_channels(stack_file.read_stack(path), how, path), how)


class ScaledRows:
    """Stored rows, scaled by the range of a preprocessing when they are read."""

    def __init__(self, rows: Rows, how: Preprocessing) -> None:
        self._rows, self._how = rows, how
        self.shape, self.dtype = rows.shape, np.dtype(np.float32)

    def __getitem__(self, rows: slice) -> np.ndarray:
        """Return rows from start to stop, from 0 to 1."""
        return self._how.array_input(np.asarray(self._rows[rows]))


def _scaled(rows: Rows, how: Preprocessing) -> Rows:
    """Return stored rows as they are, or scaled if the model was trained with a range."""
    return rows if how.range is None else ScaledRows(rows, how)


def _with_channels(array: np.ndarray, how: Preprocessing, path: Path) -> np.ndarray:
    """Return a picture or volume with a channel axis."""
    if array.ndim == how.axes and how.channels == 1:
        return array[..., None]
    if array.ndim == how.axes + 1 and array.shape[-1] == how.channels:
        return array
    axes = "height x width" if how.axes == 2 else "depth x height x width"
    raise ValueError(
        f"Received: {path} of shape {'x'.join(map(str, array.shape))}. Expected: {axes} x {how.channels}, as the "
        "model requires."
    )
