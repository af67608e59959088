"""Run a script of ours on a pooled job, in place of a launch of its own: what it trains is the same.

For runs that end by themselves, well or with one line about bad input. What a signal, a time limit or a failure ends
(these end the process) starts for itself.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from pathlib import Path

from tests.launch import Result
from tests.ranks.pool import call_ranks


def run_script(
    script: str,
    arguments: Sequence[str | Path],
    *,
    ranks: int = 2,
    launcher: str = "mpirun",
    floatx: str = "float32",
    timeout_s: float = 240.0,
) -> Result:
    """Run it on every rank, and return the highest status and what all ranks printed.

    Args:
        script: its path from the repository, without the suffix: "scripts/train_unet".
        arguments: on its command line.
        ranks: as in `call_ranks`.
        launcher: as in `call_ranks`.
        floatx: what Keras computes in, as ~/.keras/keras.json says it for a process of its own.
        timeout_s: as in `call_ranks`.
    """
    words = [str(word) for word in arguments]
    how = {"ranks": ranks, "launcher": launcher, "timeout_s": timeout_s}
    statuses = call_ranks(_run, script.replace("/", "."), words, floatx, **how)
    return Result(max(statuses), "".join(statuses.printed), statuses.seconds)


def _run(module: str, arguments: list[str], floatx: str) -> int:
    import keras

    keras.config.set_floatx(floatx)
    keras.config.set_dtype_policy(floatx)
    try:
        status: int = importlib.import_module(module).main(arguments)
    except SystemExit as end:  # of argparse
        return int(end.code or 0)
    return status
