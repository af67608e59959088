"""A script that is called in the process of the tests leaves no trace in it."""

from __future__ import annotations

import logging
import os
import random
import signal
import sys
import warnings
from collections.abc import Callable
from pathlib import Path

import keras
import matplotlib as mpl
import numpy as np
import pytest

from tests.scripts.in_process import call, process_restored

CHANGES: dict[str, tuple[Callable[[], object], Callable[[], object]]] = {
    "folder": (lambda: os.chdir("/"), Path.cwd),
    "environment": (lambda: os.environ.update(DDL_TEST_LEAK="1"), lambda: dict(os.environ)),
    "arguments": (lambda: sys.argv.append("--leak"), lambda: list(sys.argv)),
    "signals": (
        lambda: signal.signal(signal.SIGUSR1, signal.SIG_IGN),
        lambda: signal.getsignal(signal.SIGUSR1),
    ),
    "logging": (
        lambda: logging.getLogger().addHandler(logging.StreamHandler()),
        lambda: list(logging.getLogger().handlers),
    ),
    "log level": (
        lambda: logging.getLogger("tifffile").setLevel(logging.CRITICAL),
        lambda: logging.getLogger("tifffile").level,
    ),
    "warnings": (lambda: warnings.simplefilter("ignore"), lambda: list(warnings.filters)),
    "random": (lambda: random.seed(3), random.random),
    "NumPy's random": (
        lambda: np.random.seed(3),  # noqa: NPY002
        lambda: np.random.random(),  # noqa: NPY002
    ),
    "Keras's policy": (
        lambda: keras.config.set_dtype_policy("mixed_float16"),
        lambda: keras.config.dtype_policy().name,
    ),
    "Keras's names": (lambda: keras.layers.Dense(1), lambda: keras.layers.Dense(1).name),
    "figures": (lambda: mpl.rcParams.update({"font.size": 77}), lambda: mpl.rcParams["font.size"]),
}


@pytest.mark.parametrize("what", CHANGES)
def test_what_a_script_changes_is_restored(what: str) -> None:
    change, look = CHANGES[what]
    with process_restored():
        pass  # Keras's names start anew
    states = (random.getstate(), np.random.get_state())  # noqa: NPY002
    before = look()
    random.setstate(states[0])
    np.random.set_state(states[1])  # noqa: NPY002
    with process_restored():
        change()
    assert look() == before


def test_a_script_that_ends_its_process_ends_the_call_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("scripts.evaluate.main", lambda argv: os._exit(75))
    assert call("evaluate").status == 75
