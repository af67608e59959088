"""Holds back what converters say: it is much, and none of it is for the user."""

from __future__ import annotations

import contextlib
import io
import logging
import os
import sys
import tempfile
import warnings
from collections.abc import Iterator
from typing import TextIO


@contextlib.contextmanager
def silenced() -> Iterator[TextIO]:
    """Let nothing through to standard output and error, not from C++ either; yield a way to standard error past it."""
    sys.stdout.flush()
    sys.stderr.flush()
    level = logging.root.manager.disable
    with contextlib.ExitStack() as held:
        kept = {number: os.dup(number) for number in (1, 2)}
        for number, copy in kept.items():
            held.callback(os.close, copy)
            held.callback(os.dup2, copy, number)
        nowhere = held.enter_context(tempfile.TemporaryFile())
        for number in kept:
            os.dup2(nowhere.fileno(), number)
        stream = held.enter_context(os.fdopen(os.dup(kept[2]), "w"))
        held.enter_context(contextlib.redirect_stdout(io.StringIO()))
        held.enter_context(contextlib.redirect_stderr(io.StringIO()))
        held.enter_context(warnings.catch_warnings())
        warnings.simplefilter("ignore")
        held.callback(logging.disable, level)
        logging.disable(logging.WARNING)
        yield stream
