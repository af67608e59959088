"""What holds while TensorFlow loads, and ends with it."""

from __future__ import annotations

import gc
import importlib
import os

import pytest

from ddl.distributed.job.quiet import loading_tensorflow


def test_garbage_is_collected_again_after_an_error_too() -> None:
    with pytest.raises(ImportError, match="no_such_module"), loading_tensorflow():
        importlib.import_module("no_such_module")
    assert gc.isenabled()


def test_who_collects_no_garbage_still_does_not() -> None:
    gc.disable()
    try:
        with loading_tensorflow(), loading_tensorflow():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_chatter_is_dropped_and_the_rest_is_kept(capfd: pytest.CaptureFixture[str]) -> None:
    with loading_tensorflow():
        assert not gc.isenabled()
        os.write(
            2, b"I0000 00:00:17.1 25 port.cc:153] oneDNN custom operations are on.\nE: heard\n"
        )
    assert capfd.readouterr().err == "E: heard\n"
