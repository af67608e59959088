"""The source line where a rank is, for messages about a late rank."""

from __future__ import annotations

import sys
import threading
import traceback
from pathlib import Path


def current_place() -> str:
    """Return the source line that the main thread is executing."""
    frame = sys._current_frames().get(threading.main_thread().ident or 0)
    frames = traceback.StackSummary.extract(traceback.walk_stack(frame), lookup_lines=False)
    return own_line(frames[::-1])


def own_line(frames: list[traceback.FrameSummary]) -> str:
    """Return the innermost line of the user's code: outside installed packages and `ddl`."""
    packages = ("site-packages", sys.prefix, str(Path(__file__).parents[2]))
    own = [
        frame
        for frame in frames
        if not frame.filename.startswith("<") and not any(p in frame.filename for p in packages)
    ]
    for frame in reversed(own or frames):
        return f"{frame.filename}:{frame.lineno} in {frame.name}"
    return "its end"
