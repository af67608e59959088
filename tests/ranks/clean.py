"""The state that every call on a pooled rank starts from: what a new process has just after `init()`."""

from __future__ import annotations

import gc
import logging
import os
import signal
import sys
import warnings
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)
_LOGGERS = ("", "ddl", "tensorflow", "absl")
_SEED = 1000  # plus the rank: ranks of a new job do not draw the same numbers either


class CleanState:
    """This process as it is when this object is made, to return to."""

    def __init__(self, rank: int) -> None:
        self._rank = rank
        self._environ, self._folder = dict(os.environ), Path.cwd()
        self._argv, self._path = list(sys.argv), list(sys.path)
        self._streams = sys.stdout, sys.stderr
        self._filters, self._excepthook = list(warnings.filters), sys.excepthook
        self._handlers = {number: signal.getsignal(number) for number in _SIGNALS}
        self._loggers = {name: _logger_state(name) for name in _LOGGERS}
        self._interactive = keras.config.is_interactive_logging_enabled()
        gc.collect()
        gc.freeze()  # `clear_session` collects garbage: half a second where it walks all of TensorFlow

    def restore(self) -> None:
        """Return to it, and draw from fixed seeds."""
        self._restore_process()
        self._restore_keras()
        _restore_ddl()
        keras.utils.set_random_seed(_SEED + self._rank)

    def _restore_process(self) -> None:
        os.environ.clear()
        os.environ.update(self._environ)
        os.chdir(self._folder)
        sys.argv[:], sys.path[:] = self._argv, self._path
        sys.stdout, sys.stderr = self._streams
        sys.excepthook = self._excepthook
        warnings.filters[:] = self._filters
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        for name, (level, handlers) in self._loggers.items():
            logger = logging.getLogger(name)
            logger.setLevel(level)
            logger.handlers[:] = handlers

    def _restore_keras(self) -> None:
        keras.backend.clear_session()
        keras.config.set_floatx("float32")
        keras.config.set_dtype_policy("float32")
        keras.config.set_image_data_format("channels_last")
        keras.config.enable_traceback_filtering()
        if self._interactive:
            keras.config.enable_interactive_logging()
        else:
            keras.config.disable_interactive_logging()
        tf.config.run_functions_eagerly(False)


def _restore_ddl() -> None:
    """Forget the steps and reductions that an error has left open."""
    if sys.modules.get("ddl.distributed.keras_patches.optimizer") is None:
        return
    from ddl.distributed.gradients import step_share
    from ddl.distributed.keras_patches import optimizer

    step_share._current.clear()
    for block in (step_share.taking, step_share.even, optimizer.reducing):
        block._depth = 0


def _logger_state(name: str) -> tuple[int, list[Any]]:
    logger = logging.getLogger(name)
    return logger.level, list(logger.handlers)
