"""Why a run ends before its last epoch, as exceptions: `train` raises them on all ranks."""

from __future__ import annotations

from pathlib import Path


class Interrupted(Exception):
    """The run was asked to stop, and has written a checkpoint if any step was taken."""

    def __init__(self, reason: str, checkpoint: Path | None = None, written: bool = False) -> None:
        """Build the message from the reason (a signal's name or the time limit) and the newest checkpoint, if any.

        `written` says whether the checkpoint was written just now. On a full disk it is an older one.
        """
        if checkpoint is None:
            state, remedy = "no step was taken", "starts it again"
        else:
            state = f"{checkpoint} is " + ("written" if written else "the last good checkpoint")
            remedy = "continues from there"
        super().__init__(f"Stopped by {reason}: {state}. --resume auto {remedy}.")
        self.checkpoint = checkpoint


class Diverged(Exception):
    """The loss or the weights became NaN or infinite."""


class Unsaved(Exception):
    """The run is finished, but what it is for could not be written. Raised on rank 0 only."""
