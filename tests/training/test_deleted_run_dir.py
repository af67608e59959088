"""A run directory that is deleted while the run goes on: it is said, and what is written next is a whole run."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from ddl.training.record.recorder import Recorder
from tests.pages import RUN_FILES
from tests.scripts.in_process import Outcome, call

SMALL = (
    *("--data-option", "count=12", "--image-size", "16", "--epochs", "3"),
    *("--model-option", "width=2", "depth=1", "--per-rank-batch-size", "4", "--keep-last", "9"),
)


@pytest.fixture
def train(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Outcome]:
    """Return a function that trains, and does something to the run directory when the second epoch begins."""

    def run(then: Callable[[Path], object]) -> Outcome:
        begin = Recorder.begin_epoch
        begun: list[int] = []

        def begin_epoch(recorder: Recorder) -> None:
            begun.append(1)
            if len(begun) == 2:
                then(tmp_path / "run")
            begin(recorder)

        monkeypatch.setattr(Recorder, "begin_epoch", begin_epoch)
        return call("train_unet", "--run-dir", tmp_path / "run", *SMALL)

    return run


def test_a_deleted_run_directory_is_said_and_made_again_whole(
    tmp_path: Path, train: Callable[..., Outcome]
) -> None:
    outcome = train(shutil.rmtree)
    run = tmp_path / "run"
    assert outcome.status == 0, outcome.told
    said = outcome.printed + outcome.told
    assert said.count("was deleted during the run. It is made again") == 1
    assert sorted(path.name for path in run.iterdir()) == RUN_FILES
    history = [json.loads(line) for line in (run / "history.jsonl").read_text().splitlines()]
    assert [epoch["epoch"] for epoch in history] == [1, 2, 3]
    kept = [path.name for path in (run / "checkpoints").iterdir()]
    assert {"epoch-0002.h5", "epoch-0003.h5"} <= set(kept)
    assert "was deleted during the run" in (run / "log.txt").read_text()


def test_another_run_in_its_place_is_left_alone(
    tmp_path: Path, train: Callable[..., Outcome]
) -> None:
    def replace(run: Path) -> None:
        shutil.rmtree(run)
        run.mkdir()
        (run / "plan.json").write_text("{}")

    outcome = train(replace)
    assert outcome.status == 1
    assert "cannot be made again: another run is there now" in outcome.told
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["plan.json"]
