"""Commands that end with this process, however it ends."""

from __future__ import annotations

import ctypes
import signal
import sys
from collections.abc import Callable

_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None


def with_parent(number: signal.Signals) -> Callable[[], None]:
    """Return a `preexec_fn` with which the kernel sends this signal to a child when this process ends.

    It also works after `kill -9`. Start the child from the main thread: the end of another thread counts, too.
    """

    def ask() -> None:
        if _LIBC is not None:
            _LIBC.prctl(_PR_SET_PDEATHSIG, number)

    return ask
