"""The report of a run says how fast it was, when it reached its target, and what memory each rank took."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ddl.data.order import Position, SampleOrder
from ddl.training.plan.plan import Plan
from ddl.training.record.rates import Rates
from ddl.training.record.report import make_report, peak_memory_mb, report_lines
from ddl.training.run import Run


def report(folder: Path, target: str | None, peaks: list[float]) -> dict[str, Any]:
    """Return the report of two epochs of 80 samples, in steps of half a second."""
    clock = iter([0.0, 2.5, 5.0, 10.0, 12.5, 15.0])
    rates = Rates(80, 8, lambda: next(clock))
    for _ in range(2):
        rates.begin_epoch(10)
        rates.step(5)
        rates.step(10)
        rates.end_steps()
    order = SampleOrder("global", 80, 8, 1, 0)
    history = [
        {"epoch": 1, "seconds": 8.25, "val_loss": 0.7},
        {"epoch": 2, "seconds": 6.5, "val_loss": 0.5},
    ]
    plan = Plan(run_dir=folder, epochs=2, target=target)
    run = Run(plan, order, 8, "", None, Position(2), history)  # type: ignore[arg-type]
    return make_report(run, rates, peaks)


def test_facts_and_lines(tmp_path: Path) -> None:
    found = report(tmp_path, None, [812.4, 700.0])
    assert found == {
        "epochs": 2,
        "ended_because": "all epochs are complete",
        "training_s": 14.75,
        "samples_per_s": 16.0,
        "samples_per_s_last_half": 16.0,
        "peak_memory_mb": [812.4, 700.0],
    }
    assert report_lines(found) == [
        (
            "Training took 0:00:15 for 2 epochs: 16.0 samples/s in all steps of this start, 16.0 in the last half of "
            "each epoch."
        ),
        "Peak memory: 812 MB on rank 0, 700 MB on rank 1.",
    ]


@pytest.mark.parametrize(
    ("target", "epoch", "seconds", "line"),
    [
        (
            "val_loss=0.75", 1, 8.25,
            "The target val_loss=0.75 was reached in epoch 1, after 8.2 s of training.",
        ),
        (
            "val_loss=0.5", 2, 14.75,
            "The target val_loss=0.5 was reached in epoch 2, after 14.8 s of training.",
        ),
        ("val_loss=0.1", None, None, "The target val_loss=0.1 was not reached."),
    ],
)  # fmt: skip
def test_the_time_to_target_is_that_of_all_epochs_up_to_it(
    tmp_path: Path, target: str, epoch: int | None, seconds: float | None, line: str
) -> None:
    found = report(tmp_path, target, [1.0])
    assert (found["target_epoch"], found["time_to_target_s"]) == (epoch, seconds)
    assert report_lines(found)[1] == line


def test_of_many_ranks_the_least_and_the_most_are_told(tmp_path: Path) -> None:
    found = report(tmp_path, None, [800.0, *[900.0] * 62, 950.0])
    assert report_lines(found)[-1] == "Peak memory: from 800 MB on rank 0 to 950 MB on rank 63."


def test_a_start_without_steps_has_no_rates(tmp_path: Path) -> None:
    found = report(tmp_path, None, [1.0]) | {"samples_per_s": 0.0}
    assert report_lines(found) == ["Peak memory: 1 MB on rank 0."]


def test_the_peak_is_in_megabytes() -> None:
    before = peak_memory_mb()
    block = bytearray(200_000_000)
    block[::4096] = b"x" * len(block[::4096])
    assert 20 < before <= peak_memory_mb()
    assert peak_memory_mb() > 200
