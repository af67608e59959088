"""The error of a sample that cannot be read while steps are taken."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from ddl.data.batches import pipeline


class BadData(ValueError):
    """A sample could not be read during training. Raised only on the rank that reads it."""


@contextlib.contextmanager
def naming_bad_data(*batches: pipeline.Batches) -> Iterator[None]:
    """Raise BadData for a sample that cannot be read. Other errors are bugs, and keep their traceback."""
    try:
        yield
    except ValueError as error:
        if any(error is failed.error for failed in batches):
            raise BadData(str(error)) from error
        raise
