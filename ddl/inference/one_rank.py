"""Errors of a prediction that only one rank has."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from ddl.inference.output_folder import disk_error


class OneRankError(Exception):
    """A bad picture or a full disk, which only one rank knows of: that rank must end the whole job."""


@contextlib.contextmanager
def naming_disk(place: Path) -> Iterator[None]:
    """Turn errors of the disk into a one-line message."""
    try:
        yield
    except OSError as error:
        raise OneRankError(str(disk_error(place, error))) from error
