"""OpenVINO, loaded without the parts that would tell its makers about each use of it."""

from __future__ import annotations

import os
import sys
from typing import Any


def load_openvino() -> Any:
    """Return the module `openvino`. Without its telemetry it uses a stub of its own."""
    # As published it reports conversions over the network unless a file in the home folder forbids it.
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    import openvino

    return openvino


def load_nncf() -> Any:
    """Return the module `nncf`, which quantizes, likewise."""
    load_openvino()
    os.environ.setdefault("NNCF_CI", "1")
    import nncf

    return nncf
