"""Loads Keras without Matplotlib, half a second of each start. The two functions that draw load it when called."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from typing import Any

# Module of keras.visualization -> its name for what it imports of Matplotlib, and that.
_USERS = {
    "plot_image_gallery": ("plt", "matplotlib.pyplot"),
    "plot_bounding_box_gallery": ("patches", "matplotlib.patches"),
}


def load_keras() -> None:
    """Import Keras, unless that has been done."""
    if "keras" in sys.modules:
        return
    if "matplotlib" in sys.modules:
        importlib.import_module("keras")
        return
    sys.modules["matplotlib"] = None  # type: ignore[assignment]  # importing it fails, which Keras expects
    try:
        importlib.import_module("keras")
    finally:
        del sys.modules["matplotlib"]
    if importlib.util.find_spec("matplotlib") is not None:
        _load_when_used()


def _load_when_used() -> None:
    for user, (name, plots) in _USERS.items():
        module = sys.modules.get(f"keras.src.visualization.{user}")
        if getattr(module, name, "") is None:
            setattr(module, name, _Later(plots))


class _Later:
    """Stands for a module, which is imported when one of its attributes is used."""

    def __init__(self, module: str) -> None:
        self._module = module

    def __getattr__(self, name: str) -> Any:
        return getattr(importlib.import_module(self._module), name)
