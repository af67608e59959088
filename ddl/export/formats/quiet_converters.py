"""Silence the converters, whose output is long and of no use to the user."""

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
    """Silence standard output and error, including output from C++; yield a stream that still reaches standard error.

    The file descriptors themselves are redirected, since C++ does not write through `sys.stdout`.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    level = logging.root.manager.disable
    with contextlib.ExitStack() as stack:
        originals = {number: os.dup(number) for number in (1, 2)}
        for number, copy in originals.items():
            stack.callback(os.close, copy)
            stack.callback(os.dup2, copy, number)
        discarded = stack.enter_context(tempfile.TemporaryFile())
        for number in originals:
            os.dup2(discarded.fileno(), number)
        stream = stack.enter_context(os.fdopen(os.dup(originals[2]), "w"))
        stack.enter_context(contextlib.redirect_stdout(io.StringIO()))
        stack.enter_context(contextlib.redirect_stderr(io.StringIO()))
        stack.enter_context(warnings.catch_warnings())
        warnings.simplefilter("ignore")
        stack.callback(logging.disable, level)
        logging.disable(logging.WARNING)
        yield stream
