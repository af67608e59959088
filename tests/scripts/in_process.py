"""Calls a script's `main(argv)` in this process, where its start costs nothing, and leaves no trace of the call.

outcome = call("predict", run_dir, pictures, tmp_path / "out", "--tile", "30")
assert outcome.status == 2
"""

from __future__ import annotations

import contextlib
import importlib
import io
import logging
import os
import random
import signal
import sys
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

import numpy as np

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)


@dataclass(frozen=True)
class Outcome:
    """How a call ended.

    Attributes:
        status: exit status; 0 where `main` returned.
        printed: what it wrote to stdout.
        told: what it wrote to stderr.
    """

    status: int
    printed: str
    told: str


def call(script: str, *arguments: object, folder: Path | None = None) -> Outcome:
    """Call `scripts/SCRIPT.py` with these arguments, in a folder. A bug's traceback passes through.

    `os._exit`, by which one rank ends a job, ends the call alone.
    """
    printed, told, status = io.StringIO(), io.StringIO(), 0
    main = importlib.import_module(f"scripts.{script}").main
    with (
        process_restored(),
        mock.patch("os._exit", sys.exit),
        mock.patch("logging.shutdown"),  # it would close pytest's own handlers, too
        contextlib.redirect_stdout(printed),
        contextlib.redirect_stderr(told),
    ):
        if folder is not None:
            os.chdir(folder)
        try:
            main([str(argument) for argument in arguments])
        except SystemExit as end:
            status = int(end.code or 0)
    return Outcome(status, printed.getvalue(), told.getvalue())


@contextlib.contextmanager
def process_restored() -> Iterator[None]:
    """Restore on leaving what a script may change for its whole process."""
    with contextlib.ExitStack() as stack:
        stack.callback(os.chdir, Path.cwd())
        stack.callback(_restore_environment, dict(os.environ))
        stack.callback(_restore_lists, list(sys.argv), list(sys.path))
        stack.callback(random.setstate, random.getstate())
        stack.callback(np.random.set_state, np.random.get_state())  # noqa: NPY002 (Keras seeds it)
        for number in _SIGNALS:
            stack.callback(signal.signal, number, signal.getsignal(number))
        stack.callback(_restore_loggers, _loggers())
        stack.enter_context(warnings.catch_warnings())
        if "matplotlib" in sys.modules:
            import matplotlib as mpl

            stack.enter_context(mpl.rc_context())
        stack.callback(_clear_keras)
        yield


def _restore_environment(before: dict[str, str]) -> None:
    os.environ.clear()
    os.environ.update(before)


def _restore_lists(argv: list[str], path: list[str]) -> None:
    sys.argv[:], sys.path[:] = argv, path


Loggers = dict[str, tuple[int, list[logging.Handler], bool]]


def _loggers() -> Loggers:
    names = ["", *logging.Logger.manager.loggerDict]
    loggers = {name: logging.getLogger(name) for name in names}
    return {n: (one.level, list(one.handlers), one.disabled) for n, one in loggers.items()}


def _restore_loggers(before: Loggers) -> None:
    """Restore the loggers that were there; a library that was imported meanwhile keeps its own."""
    for name, (level, handlers, disabled) in before.items():
        logger = logging.getLogger(name)
        logger.disabled = disabled
        logger.setLevel(level)
        for handler in set(logger.handlers) - set(handlers):
            handler.close()
        logger.handlers[:] = handlers


def _clear_keras() -> None:
    """Forget names, policy and seed of Keras, and close the figures; import neither for it."""
    if "keras" in sys.modules:
        import keras

        keras.config.set_floatx("float32")
        keras.config.set_dtype_policy("float32")
        keras.backend.clear_session(
            free_memory=False
        )  # collecting garbage takes a quarter of a second
    if "matplotlib.pyplot" in sys.modules:
        from matplotlib import pyplot as plt

        plt.close("all")
