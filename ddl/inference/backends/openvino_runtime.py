"""Import OpenVINO and NNCF with their telemetry disabled."""

from __future__ import annotations

import os
import sys
from typing import Any


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
