"""Opens HDF5 files that may come from strangers. Whatever reads HDF5 in `ddl` opens it here.

    with GuardedFile(path) as file:
        rows = file["image"][0:8]

It behaves like `h5py.File` for reading, and refuses what would reach outside the file or break out of it: pipes and
devices, links to other files or names, external and virtual storage, filters that load plug-ins, sizes that the file
cannot hold, and chunks that do not decode to what they declare.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from ddl.files.hdf5_chunks import Chunks, problem_of_filters
from ddl.files.regular import check_regular, exceeds_file

DAMAGE = (
    *(OSError, RuntimeError, KeyError, ValueError, TypeError, AttributeError, IndexError),
    *(OverflowError, MemoryError, NotImplementedError, RecursionError),
)
"""Errors of h5py for contents that are damaged or not as expected."""

_MOST_CHUNKS = 1 << 28
_MOST_CHUNK_BYTES = 1 << 30
"""Limits of a file of which boxes are read: a byte per chunk, and a chunk or two, are held in memory."""
_VARIABLE_BYTES = 16  # a value of variable length: its length, and where it is in the file
_MOST_LINKS = 1_000_000
_LINKS = {h5py.h5l.TYPE_SOFT: "a symbolic link", h5py.h5l.TYPE_EXTERNAL: "a link to another file"}


class Refusal(ValueError):
    """The file is refused; the message is one line for the user."""


class _Guard:
    """What is known about one open file, shared by the objects that are read from it."""

    def __init__(self, origin: str, file_bytes: int, reads_boxes: bool = False) -> None:
        self.origin, self.file_bytes, self._reads_boxes = origin, file_bytes, reads_boxes
        self._chunks: dict[int, Chunks | None] = {}  # by the address of the data set

    def wrap(self, item: Any) -> Any:
        """Return a group or data set that checks what is read from it."""
        if isinstance(item, h5py.Dataset):
            return GuardedDataset(item.id, self)
        return GuardedGroup(item.id, self) if isinstance(item, h5py.Group) else item

    def chunks_of(self, dataset: Any) -> Chunks | None:
        """Check a data set's declaration once; return its chunks, None if it is not chunked."""
        address = h5py.h5o.get_info(dataset.id).addr
        if address not in self._chunks:
            self._chunks[address] = self._declared(dataset)
        return self._chunks[address]

    def check_storage(self, stored: Any, name: str) -> None:
        """Refuse a data set whose values are not in this file. `stored` is an `h5py.h5d.DatasetID`."""
        settings = stored.get_create_plist()
        if settings.get_layout() == h5py.h5d.VIRTUAL:
            raise self.refusal(name, "is virtual: its values are in other files")
        if settings.get_external_count():
            raise self.refusal(name, "has external storage: its values are in other files")

    def refusal(self, name: str, problem: str) -> Refusal:
        """Return the error about an object of the file."""
        return Refusal(
            f"Received: {self.origin}, where {name} {problem}. Expected: values stored in the file itself, plain or "
            "compressed with gzip or lzf; copy them into a new file."
        )

    def _declared(self, dataset: Any) -> Chunks | None:
        stored, name = dataset.id, str(dataset.name)
        self.check_storage(stored, name)
        settings = stored.get_create_plist()
        filters = [settings.get_filter(place)[0] for place in range(settings.get_nfilters())]
        problem = problem_of_filters(filters)
        if problem:
            raise self.refusal(name, problem)
        try:
            item_bytes = _item_bytes(stored)
        except TypeError as error:
            raise self.refusal(name, f"has a type that NumPy does not have ({error})") from error
        array_bytes = math.prod(stored.shape or ()) * item_bytes
        if not self._reads_boxes and exceeds_file(array_bytes, self.file_bytes):
            raise self.refusal(
                name, f"declares {array_bytes} bytes, which {self.file_bytes} bytes cannot hold"
            )
        if settings.get_layout() == h5py.h5d.CHUNKED:
            chunks = Chunks(stored, name, item_bytes, filters, self.file_bytes)
            most = max(self.file_bytes, _MOST_CHUNKS) if self._reads_boxes else self.file_bytes
            if chunks.count > most:
                raise self.refusal(name, f"declares {chunks.count} chunks")
            if self._reads_boxes and chunks.bytes > _MOST_CHUNK_BYTES:
                raise self.refusal(name, f"has chunks of {chunks.bytes} bytes")
            return chunks
        if 0 < stored.get_storage_size() < array_bytes:
            raise self.refusal(
                name, f"stores {stored.get_storage_size()} of its {array_bytes} bytes"
            )
        return None


def _item_bytes(stored: Any) -> int:
    """Return the size of a value in the file.

    Raises:
        TypeError: NumPy cannot hold such values.
    """
    _ = stored.dtype
    kind = stored.get_type()
    is_text = isinstance(kind, h5py.h5t.TypeStringID) and kind.is_variable_str()
    if is_text or isinstance(kind, h5py.h5t.TypeVlenID):
        return _VARIABLE_BYTES
    return max(int(kind.get_size()), 1)


class GuardedDataset(h5py.Dataset):
    """A data set whose declaration is checked before its shape is known, and its chunks before they are read."""

    def __init__(self, identifier: Any, guard: _Guard) -> None:
        super().__init__(identifier, readonly=True)
        self._guard = guard

    @property
    def shape(self) -> Any:
        self._guard.chunks_of(self)
        return super().shape

    def __getitem__(self, selection: Any, new_dtype: Any = None) -> Any:
        self._check(selection)
        return super().__getitem__(selection, new_dtype)

    def read_direct(self, dest: Any, source_sel: Any = None, dest_sel: Any = None) -> None:
        self._check(())
        super().read_direct(dest, source_sel, dest_sel)

    def check_all(self) -> None:
        """Check every chunk."""
        self._check(())

    def _check(self, selection: Any) -> None:
        chunks = self._guard.chunks_of(self)
        if chunks is None:
            return
        chunks.check(_ranges_of(selection, self.id.shape))


def _ranges_of(selection: Any, shape: tuple[int, ...]) -> list[range]:
    """Return the places that a selection reads along each axis; all where it is neither a number nor a plain slice."""
    parts = selection if isinstance(selection, tuple) else (selection,)
    ranges = [range(side) for side in shape]
    for axis, (part, side) in enumerate(zip(parts, shape, strict=False)):
        if isinstance(part, int | np.integer) and not isinstance(part, bool):
            place = int(part) + (side if part < 0 else 0)
            ranges[axis] = range(
                max(place, 0), min(place + 1, side)
            )  # h5py refuses what is outside
        elif isinstance(part, slice) and (part.step or 1) > 0:
            start, stop, _ = part.indices(side)
            ranges[axis] = range(start, stop)
        else:
            break  # such as ..., which stands for several axes
    return ranges


class _GuardedItems:
    """Access by name that hands out guarded objects."""

    _guard: _Guard
    name: Any

    def __getitem__(self, name: Any) -> Any:
        if not isinstance(name, str | bytes):
            raise Refusal(
                f"Received: {self._guard.origin}, where {self.name} is a group. Expected: a data set."
            )
        return self._guard.wrap(super().__getitem__(name))  # type: ignore[misc]


class GuardedGroup(_GuardedItems, h5py.Group):
    """A group of a guarded file."""

    def __init__(self, identifier: Any, guard: _Guard) -> None:
        super().__init__(identifier)
        self._guard = guard


class GuardedFile(_GuardedItems, h5py.File):
    """An HDF5 file, open for reading."""

    def __init__(
        self,
        file: Path | bytes,
        origin: object = None,
        *,
        reads_boxes: bool = False,
        **options: Any,
    ) -> None:
        """Open a file and look at all its names, but at no values.

        Args:
            file: its path, or its contents.
            origin: name for messages, if it is not the path.
            reads_boxes: whether only boxes of its arrays are read, so that an array may be larger than what the file
                could hold: places that were never written need no room.
            options: further arguments of `h5py.File`.

        Raises:
            Refusal: it is no regular file, or reaches outside of itself.
            OSError: it is no HDF5 file, is damaged, or cannot be read.
        """
        if isinstance(file, bytes):
            self._guard = _Guard(str(origin), len(file), reads_boxes)
            try:
                super().__init__(h5py.h5f.open_file_image(file))
            except ValueError as error:  # h5py's for contents that are no HDF5
                raise OSError(f"it is not an HDF5 file ({error})") from error
        else:
            check_regular(file)
            self._guard = _Guard(str(origin or file), file.stat().st_size, reads_boxes)
            super().__init__(file, "r", locking=False, **options)
        try:
            self._check_names()
        except BaseException:
            self.close()
            raise

    def _check_names(self) -> None:
        """Refuse links, and values that are stored elsewhere. HDF5 visits a group once, so circles end."""
        names: list[bytes] = []

        def see(name: bytes, link: Any) -> Any:
            if link.type != h5py.h5l.TYPE_HARD:
                return name, _LINKS.get(link.type, "a link of an unknown kind")
            names.append(name)
            return (name, "") if len(names) > _MOST_LINKS else None

        stopped = self.id.links.visit(see, info=True)
        if stopped is not None:
            name, kind = stopped[0].decode("utf-8", "replace"), stopped[1]
            raise self._guard.refusal(
                name, f"is {kind}" if kind else f"is name {_MOST_LINKS + 1} of the file"
            )
        for name in names:
            stored = h5py.h5o.open(self.id, name)
            if isinstance(stored, h5py.h5d.DatasetID):
                self._guard.check_storage(stored, name.decode("utf-8", "replace"))

    def check_all(self) -> None:
        """Check every data set and every chunk, for a reader that opens the file itself.

        Raises:
            Refusal: a data set reaches outside the file or cannot be what it declares.
            OSError: a chunk is damaged.
        """

        def check(_: str, item: Any) -> None:
            if isinstance(item, h5py.Dataset):
                GuardedDataset(item.id, self._guard).check_all()

        self.visititems(check)


@contextmanager
def naming_damage(problem: Callable[[Exception], Exception]) -> Iterator[None]:
    """Turn what h5py raises for unexpected contents into one error. A refusal passes as it is."""
    try:
        yield
    except Refusal:
        raise
    except DAMAGE as error:
        raise problem(error) from error
