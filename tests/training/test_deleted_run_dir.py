"""A run directory that is deleted while the run goes on: it is said, and what is written next is a whole run."""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ddl.data.order import SampleOrder
from ddl.data.preprocessing import Preprocessing
from ddl.training.plan.plan import Plan
from ddl.training.record.origin import hold_run_dir
from ddl.training.record.recorder import Recorder
from ddl.training.record.run_dir import EarlyLines
from ddl.training.run import Run
from ddl.training.stops import Unsaved
from tests.pages import RUN_FILES
from tests.scripts.in_process import call

NO_DATA: Any = SimpleNamespace(validation=None)


@pytest.fixture
def recorder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Recorder]:
    """The record of a run in its second epoch, in `run`."""
    monkeypatch.setattr("ddl.distributed.is_root", lambda: True)
    plan = Plan(run_dir=tmp_path / "run", tensorboard=False)
    how = Preprocessing(target="mask", channels=1, classes=1)
    run = Run(plan, SampleOrder("global", 4, 2, 1, 0), 2, "", how, history=[{"epoch": 1}])
    with (
        hold_run_dir(run, ["here"]),
        Recorder(run, NO_DATA, EarlyLines(), ["here"]) as recorder,
    ):
        yield recorder


WARNING = "was deleted during the run. It is made again"


def test_a_run_directory_that_is_there_is_left_alone(
    tmp_path: Path, recorder: Recorder, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "run" / "plan.json").write_text("edited")
    recorder.keep_folder()
    assert (tmp_path / "run" / "plan.json").read_text() == "edited"
    assert not caplog.messages


@pytest.mark.parametrize("what", ["run", "run/.lock"])
def test_a_deleted_run_directory_is_said_once_and_made_again(
    tmp_path: Path, recorder: Recorder, caplog: pytest.LogCaptureFixture, what: str
) -> None:
    if what == "run":
        shutil.rmtree(tmp_path / what)
    else:
        (tmp_path / what).unlink()
    for _ in range(2):
        recorder.keep_folder()
    assert [message for message in caplog.messages if WARNING in message] == caplog.messages
    assert len(caplog.messages) == 1
    logging.getLogger("ddl").warning("later")
    made = {path.name: path.read_text() for path in (tmp_path / "run").iterdir()}
    assert {"plan.json", "facts.json", "history.jsonl", "preprocessing.json", ".lock"} <= set(made)
    assert json.loads(made["history.jsonl"]) == {"epoch": 1}
    assert "later" in made["log.txt"]


def test_a_checkpoint_that_was_being_written_does_not_hide_that_the_rest_is_gone(
    tmp_path: Path, recorder: Recorder, caplog: pytest.LogCaptureFixture
) -> None:
    """Its writer makes the folder again, and it is all that is there."""
    shutil.rmtree(tmp_path / "run")
    (tmp_path / "run" / "checkpoints").mkdir(parents=True)
    (tmp_path / "run" / "checkpoints" / "epoch-0001.h5").write_bytes(b"whole")
    recorder.keep_folder()
    assert WARNING in caplog.text
    assert (tmp_path / "run" / "plan.json").exists()


def test_another_run_in_its_place_is_left_alone(tmp_path: Path, recorder: Recorder) -> None:
    shutil.rmtree(tmp_path / "run")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "plan.json").write_text("{}")
    with pytest.raises(Unsaved, match="cannot be made again: another run is there now"):
        recorder.keep_folder()
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["plan.json"]


@pytest.mark.proof
def test_a_training_whose_run_directory_is_deleted_leaves_a_whole_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    begin: Callable[[Recorder], None] = Recorder.begin_epoch
    begun: list[int] = []

    def begin_epoch(recorder: Recorder) -> None:
        begun.append(1)
        if len(begun) == 2:
            (tmp_path / "run").rename(tmp_path / "gone")  # at once, though a checkpoint is written
        begin(recorder)

    monkeypatch.setattr(Recorder, "begin_epoch", begin_epoch)
    flags = (
        *("--data-option", "count=12", "--image-size", "16", "--epochs", "3"),
        *("--model-option", "width=2", "depth=1", "--per-rank-batch-size", "4", "--keep-last", "9"),
    )
    outcome = call("train_unet", "--run-dir", tmp_path / "run", *flags)
    assert outcome.status == 0, outcome.told
    assert caplog.text.count(WARNING) == 1
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == RUN_FILES
    lines = (tmp_path / "run" / "history.jsonl").read_text().splitlines()
    assert [json.loads(line)["epoch"] for line in lines] == [1, 2, 3]
    kept = [path.name for path in (tmp_path / "run" / "checkpoints").iterdir()]
    assert {"epoch-0002.h5", "epoch-0003.h5"} <= set(kept)
