"""Where the time of experiments went."""

from __future__ import annotations

import pytest

from ddl.experiments.comparing.ddl_log import DdlLog, read_ddl_log
from ddl.experiments.comparing.times import split_run, times_of
from ddl.training.record.epoch_progress import TrainingProgress
from tests.experiments.comparing.test_curves import LOG
from tests.experiments.made_store import MadeStore


def rows(*seconds):
    return [
        {"epoch": number, "seconds": each, "samples_per_s": 10.0}
        for number, each in enumerate(seconds, 1)
    ]


def test_a_run_of_ddl_is_training_validation_checkpoints_and_the_rest():
    log = DdlLog(samples=100, steps=10, seconds={1: 14.0, 2: 14.0})
    assert split_run(50.0, rows(14.0, 17.0), log) == {
        "training": 20.0,
        "validation": 8.0,
        "checkpoints": 3.0,
        "start and end": 19.0,
    }


def test_without_a_log_epochs_are_not_taken_apart():
    assert split_run(50.0, rows(14.0, 17.0), DdlLog()) == {"epochs": 31.0, "start and end": 19.0}


def test_a_program_that_writes_no_seconds_has_its_run_alone():
    assert split_run(50.0, [{"epoch": 1}], DdlLog()) == {"run": 50.0}


def test_parts_are_never_longer_than_the_run():
    log = DdlLog(samples=100, steps=10, seconds={1: 14.0})
    assert sum(split_run(10.0, rows(14.0, 17.0), log).values()) == pytest.approx(10.0)


def test_the_log_of_ddl_says_samples_steps_and_seconds(tmp_path):
    (tmp_path / "log.txt").write_text(LOG)
    assert read_ddl_log(tmp_path) == DdlLog(27, 9, {1: 5.4, 2: 0.3})


def test_a_line_of_an_epoch_is_read_as_ddl_writes_it(tmp_path):
    lines = []
    progress = TrainingProgress(3, 27, 3, every_s=99, log=lines.append)
    for epoch in (0, 2):
        progress.begin_epoch(epoch, 9)
        progress.step(9, {"loss": 0.5})
        progress.end_epoch({"loss": 0.5})
    progress.close()
    text = "".join(f"2026-11-27 10:02:12,745  INFO  {line}\n" for line in lines)
    (tmp_path / "log.txt").write_text(text)
    assert read_ddl_log(tmp_path).seconds == {1: 0.0, 3: 0.0}


@pytest.mark.parametrize("data", [b"", b"\x00\xff", b"epoch 1/2  x  3 s"])
def test_a_log_of_something_else_says_nothing(tmp_path, data):
    (tmp_path / "log.txt").write_bytes(data)
    assert read_ddl_log(tmp_path) == DdlLog()
    assert read_ddl_log(tmp_path / "none") == DdlLog()


def test_queue_and_run_are_summed_over_attempts(tmp_path):
    made = MadeStore(tmp_path / "store")
    folder = made.plain()
    made.want(folder)
    first = made.attempt(folder, "running", age_s=5000)
    made.end(first, "continue", ended=made.now - 4000)
    made.attempt(folder, "running", age_s=600)
    made.attempt(made.plain(), "waiting", age_s=30)
    made.experiment("planned")
    times = times_of(made.view().experiments, made.now)
    assert [each.attempts for each in times] == [2, 1]
    assert times[0].seconds == pytest.approx({"queue": 4, "run": 1600}, abs=0.01)
    assert times[1].seconds == pytest.approx({"queue": 32}, abs=0.01)
