"""Less noise: TensorFlow's start-up chatter on every rank, and everything on ranks other than 0."""

from __future__ import annotations

import contextlib
import gc
import logging
import os
import re
import sys
import tempfile
import warnings
from collections.abc import Iterator

# TensorFlow writes these to standard error from C++ before any of its settings count.
_CHATTER = re.compile(
    rb"WARNING: All log messages before absl::InitializeLog"
    rb"|I0000 .*(port\.cc|cpu_feature_guard\.cc)"
    rb"|To enable the following instructions:"
)


@contextlib.contextmanager
def loading_tensorflow() -> Iterator[None]:
    """Load it without its chatter, and without Python's garbage collector.

    That would walk the hundred thousands of objects that are loaded, and stay, again and again: a fifth of the time.
    """
    collects = gc.isenabled()
    gc.disable()
    try:
        with _without_chatter():
            yield
    finally:
        if collects:
            gc.enable()


@contextlib.contextmanager
def _without_chatter() -> Iterator[None]:
    """Hold back standard error, also that of C++, and write it without TensorFlow's chatter afterwards."""
    sys.stderr.flush()
    try:
        stderr = os.dup(2)
    except OSError:  # no standard error at all
        yield
        return
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        finally:
            sys.stderr.flush()
            os.dup2(stderr, 2)
            os.close(stderr)
            held.seek(0)
            kept = [line for line in held if not _CHATTER.match(line)]
            if kept:
                os.write(2, b"".join(kept))


def silence_this_rank() -> None:
    """Leave the talking to rank 0: no TensorFlow or Keras messages, no progress bars, no warnings."""
    warnings.simplefilter("ignore")
    for name in ("tensorflow", "absl", "h5py"):
        logging.getLogger(name).setLevel(logging.ERROR)
    import keras

    keras.config.disable_interactive_logging()
