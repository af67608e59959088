"""Rank 0 writes and draws, but takes hardly more memory than the others, and computes no more samples at once."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.launch import REPOSITORY, run_ranks

PROGRAM = REPOSITORY / "tests" / "training" / "record" / "rank_memory_program.py"
FLAGS = (
    *("--data", "synthetic", "--data-option", "count=24", "--validation-part", "0.4"),
    *("--image-size", "256", "--per-rank-batch-size", "2", "--epochs", "2"),
)


@pytest.mark.proof
def test_rank_0_draws_one_sample_at_a_time_and_peaks_within_15_percent(tmp_path: Path) -> None:
    run = tmp_path / "run"
    result = run_ranks([PROGRAM, *FLAGS, "--run-dir", run], ranks=2, launcher="horovodrun-mpi")
    assert result.returncode == 0, result.output
    assert (run / "samples.png").is_file()
    called = dict(re.findall(r"CALLED (\d) (\d+)", result.output))
    assert called == {"0": "1"}, result.output  # the step takes 2
    peaks = {int(rank): int(mb) for rank, mb in re.findall(r"MEMORY (\d) (\d+)", result.output)}
    assert peaks[0] <= 1.15 * peaks[1], peaks
