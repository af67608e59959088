"""Suppress TensorFlow's start-up messages on every rank, and all messages on ranks other than 0."""

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

from ddl.distributed.keras_patches.late_plots import load_keras

# TensorFlow writes these to standard error from C++ before it reads any of its settings.
_CHATTER = re.compile(
    rb"WARNING: All log messages before absl::InitializeLog"
    rb"|I0000 .*(port\.cc|cpu_feature_guard\.cc)"
    rb"|To enable the following instructions:"
    rb"|INFO: Created TensorFlow Lite .*delegate"
)


@contextlib.contextmanager
def loading_tensorflow() -> Iterator[None]:
    """Load Keras; suppress start-up messages and pause Python's garbage collector while TensorFlow loads.

    The collector would scan hundreds of thousands of permanent objects again and again: a fifth of the load time.
    """
    collects = gc.isenabled()
    gc.disable()
    try:
        with without_chatter():
            load_keras()
            yield
    finally:
        if collects:
            gc.enable()


@contextlib.contextmanager
def without_chatter() -> Iterator[None]:
    """Buffer standard error, C++ output included, and write it afterwards without TensorFlow's start-up messages."""
    sys.stderr.flush()
    try:
        stderr = os.dup(2)
    except OSError:  # standard error is closed
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
    """Turn off TensorFlow and Keras messages, progress bars and warnings on this rank."""
    warnings.simplefilter("ignore")
    for name in ("tensorflow", "absl", "h5py"):
        logging.getLogger(name).setLevel(logging.ERROR)
    import keras

    keras.config.disable_interactive_logging()
