"""An HDF5 file with a data set for each sample, named as the sample is: `cat_1.jpg`, or `sub/cat_1.jpg` in a group.

    with SampleFile(Path("out/output_1.h5")) as file:
        file.write("cat_1.jpg", values)
        file.finish()

The file appears whole or not at all. Its bytes depend on names, values and their order alone.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from ddl.data.source import Source
from ddl.files import clear_partial, partial_path, put_in_place
from ddl.files.closable_file import ClosableFile

_SHOWN = 200


class SampleFile:
    """The file while it is written, in a `with` block. Without `finish`, nothing of it stays."""

    def __init__(self, path: Path) -> None:
        """Write to a temporary file beside `path`, whose folder is made if needed.

        Raises:
            OSError: it cannot be made.
        """
        self._path, self._partial = path, partial_path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        clear_partial(self._partial)
        self._raw = ClosableFile(self._partial)
        self._file = h5py.File(self._raw, "w")

    def write(self, name: str, values: np.ndarray) -> None:
        """Add a data set. A slash in the name makes a group.

        Raises:
            OSError: the disk is full.
        """
        self._file[name] = values
        self._raw.check()

    def finish(self) -> None:
        """Close the file and give it its name.

        Raises:
            OSError: it could not be written.
        """
        self._file.close()
        self._raw.close()
        self._raw.check()
        put_in_place(self._partial, self._path)

    def __enter__(self) -> SampleFile:
        return self

    def __exit__(self, *error: Any) -> None:
        """Close the file; remove what is left of one that was not finished."""
        with contextlib.suppress(OSError):
            self._file.close()
            self._raw.close()
        self._partial.unlink(missing_ok=True)


def channel_first(values: np.ndarray) -> np.ndarray:
    """Return a sample's values (..., channels) as (channels, ...). Those of a label, (classes,), stay."""
    return np.ascontiguousarray(np.moveaxis(values, -1, 0)) if values.ndim else values


def data_set_names(samples: Source) -> list[str]:
    """Return the name of each sample's data set: its file below the folder that was opened, or its number.

    Raises:
        ValueError: two samples have one name, or one's is the folder of another's.
    """
    names = [data_set_name(samples.name_of(index)) for index in range(len(samples))]
    check_names(names)
    return names


def data_set_name(name: str) -> str:
    """Return a name that HDF5 takes: no root, and no part that means another place."""
    parts = [part for part in name.replace("\0", "_").split("/") if part]
    return "/".join("_" * len(part) if part in (".", "..") else part for part in parts) or "_"


def check_names(names: Iterable[str]) -> None:
    """Refuse names that cannot stand in one file.

    Raises:
        ValueError: names the first two.
    """
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise _refusal(f"two samples named {name[:_SHOWN]!r}")
        seen.add(name)
    for name in seen:
        parts = name.split("/")
        for length in range(1, len(parts)):
            group = "/".join(parts[:length])
            if group in seen:
                raise _refusal(f"samples named {group[:_SHOWN]!r} and {name[:_SHOWN]!r}")


def _refusal(received: str) -> ValueError:
    return ValueError(
        f"Received: {received}, for one file of predictions. Expected: a name for each sample; rename the files."
    )
