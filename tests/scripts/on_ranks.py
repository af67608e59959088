"""A script's `main(argv)` on the ranks of the pool, which have joined a job and loaded TensorFlow already."""

from __future__ import annotations

from tests.ranks.scripts import run_script


def call_on_ranks(script: str, *arguments: object, ranks: int = 2) -> str:
    """Call a script on ranks, check that all end with status 0, and return what they printed."""
    result = run_script(f"scripts/{script}", [str(one) for one in arguments], ranks=ranks)
    assert result.returncode == 0, result.output
    return result.output
