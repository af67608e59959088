"""`resume WHICH`: continue what was paused or stopped."""

from __future__ import annotations

from dataclasses import dataclass, field

from ddl.experiments.engine import wishes
from ddl.experiments.verbs.of_engine import ask, carry_out
from ddl.experiments.verbs.of_store import OfStore
from ddl.flags import ARGUMENT


@dataclass(frozen=True, kw_only=True)
class Settings(OfStore):
    """Continue experiments that were paused or stopped, from their checkpoints.

    The next attempt waits until the one before has ended.

    Attributes:
        which: names, numbers, globs, or conditions such as state=failed or lr=0.001
    """

    which: tuple[str, ...] = field(kw_only=False, metadata=ARGUMENT)


def run(settings: Settings) -> int:
    """Ask for it, and sync once."""
    return carry_out(settings, ask(settings, settings.which, wishes.resume))
