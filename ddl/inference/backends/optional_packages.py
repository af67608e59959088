"""Optional packages, which only some formats and backends need: checked, and imported without their telemetry."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Iterable
from typing import Any

INSTALL = "./setup.sh --extras, or pip install -r requirements-export.txt"


def check_packages(names: Iterable[str], what: str) -> None:
    """Check that packages are installed, without importing them; `what` names the feature that needs them.

    Raises:
        ValueError: a package is missing; the message has the command that installs it.
    """
    for name in names:
        if importlib.util.find_spec(name) is None:
            raise ValueError(
                f"Received: {what}, which needs the package {name}. Expected: {name} installed; run {INSTALL}."
            )


def load_openvino() -> Any:
    """Return the module `openvino` without its telemetry; OpenVINO then falls back to its own stub."""
    # Otherwise OpenVINO reports conversions over the network unless a file in the home folder disables it.
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    import openvino

    return openvino


def load_nncf() -> Any:
    """Return the module `nncf` (quantization) without its telemetry."""
    load_openvino()
    os.environ.setdefault("NNCF_CI", "1")
    import nncf

    return nncf
