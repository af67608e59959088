"""What a run prints: what the command stands for, and a block with both errors after each iteration."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ddl.distributed.job.launcher import placement
from ddl.training.train_command import Frame

if TYPE_CHECKING:
    from ddl.training.callbacks import Callbacks
    from ddl.training.run_setup import Setup

logger = logging.getLogger("ddl")

ACCURACY = "top_1"


class Screen(Frame):
    """Lines before a training run, and a block after each iteration. Rank 0 prints them."""

    def __init__(self, introduction: list[str]) -> None:
        self.introduction = introduction

    def before(self, setup: Setup) -> Callbacks:
        """Print the introduction; the returned callback prints a block after each epoch."""
        if placement().rank:
            return ()
        import keras

        for line in self.introduction:
            logger.info("%s", line)
        training, validation = setup.run.order.samples_per_epoch, setup.data.counts[1]

        def end_epoch(epoch: int, logs: Mapping[str, Any]) -> None:
            for line in block(epoch + 1, logs, training, validation):
                logger.info("%s", line)

        return [keras.callbacks.LambdaCallback(on_epoch_end=end_epoch)]


def block(iteration: int, logs: Mapping[str, Any], training: int, validation: int) -> list[str]:
    """Return the lines on an iteration: an error is 1 - accuracy.

    Args:
        iteration: its number, counted from 1.
        logs: results of the epoch; without those of a validation in epochs without one.
        training: number of training rows.
        validation: number of validation rows.
    """
    lines = [f"Iteration {iteration}:", _line("training", logs[ACCURACY], training)]
    if f"val_{ACCURACY}" in logs:
        lines.append(_line("cross-validation", logs[f"val_{ACCURACY}"], validation))
    elif validation:
        lines.append("  cross-validation error: not computed in this iteration")
    else:
        lines.append("  cross-validation error: none, no row is flagged for validation")
    return lines


def _line(what: str, accuracy: float, rows: int) -> str:
    return f"  {what} error: {1 - accuracy:.4f} ({rows} inputs)"
