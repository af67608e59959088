"""The picture of an experiment's curves that goes with its mail. Without matplotlib the mail goes without it."""

from __future__ import annotations

import logging
import tempfile
from pathlib import Path
from typing import Any

from ddl.experiments.results import main_variable
from ddl.experiments.watching.history import read_history

logger = logging.getLogger("ddl")

_MOST_PANELS = 3
_BESIDE = ("val_loss", "loss")


def picture_of(experiment: Any) -> bytes | None:
    """Return the curves as PNG: what tells most, and the losses. None where there are none or nothing can draw them."""
    try:
        rows = read_history(experiment.folder.history)["rows"]
        return _drawn(experiment, rows) if rows else None
    except Exception as error:
        logger.warning("A mail goes without its curve: %s", error)
        return None


def _drawn(experiment: Any, rows: list[dict[str, Any]]) -> bytes | None:
    # matplotlib takes a second to load: only where there is something to draw.
    from ddl.experiments.comparing.curve_picture import draw_curves
    from ddl.experiments.comparing.curves import panels_of, variables_of

    known = variables_of([rows])
    wanted = dict.fromkeys([main_variable(rows[-1:]) or main_variable(rows), *_BESIDE])
    names = [name for name in wanted if name in known][:_MOST_PANELS] or known[:1]
    if not names:
        return None
    panels = panels_of([experiment], [rows], names, "epoch")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "curve.png")
        draw_curves(panels, "epoch", path)
        return path.read_bytes()
