"""A script's `main(argv)` on the ranks of the pool, which have joined a job and loaded TensorFlow already."""

from __future__ import annotations

import importlib

from tests.ranks import call_ranks


def call_on_ranks(script: str, *arguments: object, ranks: int = 2) -> str:
    """Call a script on ranks, check that all end with status 0, and return what rank 0 printed."""
    results = call_ranks(main_on_rank, script, [str(one) for one in arguments], ranks=ranks)
    assert results == [0] * ranks, "\n".join(results.printed)
    return results.printed[0]


def main_on_rank(script: str, arguments: list[str]) -> int:
    """Call `scripts/SCRIPT.py` and return its exit status. Every rank calls it."""
    try:
        importlib.import_module(f"scripts.{script}").main(arguments)
    except SystemExit as end:
        return int(end.code or 0)
    return 0
