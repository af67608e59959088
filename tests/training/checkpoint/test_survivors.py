"""A rank dies while rank 0 writes a checkpoint: the file is finished if the launcher leaves the time for it."""

from __future__ import annotations

from pathlib import Path

import pytest

from ddl.training.checkpoint.checkpoint_file import check_checkpoint
from tests.launch import run_ranks

PROGRAM = Path(__file__).with_name("dying_program.py")


@pytest.mark.proof
@pytest.mark.parametrize(("seconds", "is_finished"), [(1.0, True), (30.0, False)])
def test_a_checkpoint_that_is_being_written_is_finished_in_time(
    tmp_path: Path, seconds: float, is_finished: bool
) -> None:
    result = run_ranks([PROGRAM, tmp_path, str(seconds)], ranks=2)
    assert result.returncode not in (0, -9)
    assert "ddl: rank 1 " in result.output
    found = list(tmp_path.glob("epoch-*.h5"))
    assert [path.name for path in found] == ["epoch-0001-step-000007.h5"] * is_finished
    for path in found:
        check_checkpoint(path)
