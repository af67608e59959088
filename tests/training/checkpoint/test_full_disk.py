"""A full disk: training continues without a checkpoint or refuses to start, and no existing file is lost."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from ddl.training.checkpoint.checkpoint_file import open_checkpoint
from ddl.training.checkpoint.checkpoint_folder import list_checkpoints
from ddl.training.record.recorder import Recorder
from tests.launch import Result
from tests.scripts.in_process import call
from tests.training.interrupted_runs import SYNCED, no_traceback_of_ours, reached, start

pytestmark = pytest.mark.timeout(600)
ALONE = {"ranks": 1, "launcher": "none"}
PLAN = (*SYNCED, "--schedule-epochs", "40", "--epochs")
FULL = "No space left on device"


@pytest.fixture(scope="module")
def disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Return a disk of 16 MB."""
    folder = tmp_path_factory.mktemp("full") / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=16m", "none", str(folder)]
    mounted = subprocess.run(command, capture_output=True, text=True, check=False)
    if mounted.returncode:
        message = f"no small disk can be made here: {mounted.stderr.strip()}"
        (pytest.fail if os.environ.get("CI", "").lower() in ("1", "true") else pytest.skip)(message)
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


@dataclass(frozen=True)
class Trained:
    """A run whose disk was full for a while: the checkpoints before and after it, and what was printed."""

    run_dir: Path
    last_good: Path
    last_good_is_whole: bool
    wrote_again: bool
    result: Result


@pytest.fixture(scope="module")
def trained(disk: Path) -> Trained:
    run_dir = disk / "trained"
    job = start(run_dir, *PLAN, "40", **ALONE)
    job.wait_for(r"epoch 2/40  dice")
    fill(disk)
    job.wait_for(
        rf"Could not write checkpoint .*epoch-00\d\d.h5: {FULL}. Training continues without it; "
    )
    last_good = list_checkpoints(run_dir / "checkpoints")[-1][1]
    is_whole = bool(open_checkpoint(last_good).read())
    before = reached(run_dir)
    free(disk)
    wrote_again = job.wait_until(lambda: reached(run_dir) > before)
    return Trained(run_dir, last_good, is_whole, wrote_again, job.wait())


@pytest.fixture
def copy(trained: Trained, disk: Path) -> Iterator[Path]:
    """Return a copy of that run, on the same disk."""
    run_dir = Path(shutil.copytree(trained.run_dir, disk / "copy"))
    yield run_dir
    shutil.rmtree(run_dir)


def test_a_full_disk_costs_checkpoints_and_nothing_else(trained: Trained) -> None:
    check(trained.result, 0)
    assert no_trace(trained.result)
    assert f"the last good one is {trained.last_good.name}." in trained.result.output
    assert trained.last_good_is_whole
    assert trained.wrote_again
    check_whole(trained.run_dir, 40)


def test_a_start_on_a_full_disk_is_refused(copy: Path, disk: Path) -> None:
    fill(disk)
    refused = check(go_on(copy), 2)
    free(disk)
    line = f"train_unet: Received: run_dir={copy}, which cannot be written ({FULL})."
    assert line in refused.output
    assert no_trace(refused)
    check_whole(copy, 40)


def test_a_model_that_cannot_be_written_is_written_by_the_next_start(
    copy: Path, disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin: Callable[[Recorder], None] = Recorder.begin_epoch

    def begin_and_fill(recorder: Recorder) -> None:
        begin(recorder)
        fill(disk)

    with monkeypatch.context() as patch:
        patch.setattr(Recorder, "begin_epoch", begin_and_fill)
        unsaved = check(go_on(copy), 1)
    free(disk)
    assert f"train_unet: Could not write {copy}/model.keras: {FULL}." in unsaved.output
    assert no_trace(unsaved)
    check_whole(copy, 40)  # what there was is still there
    check(go_on(copy), 0)
    check_whole(copy, 41)


def go_on(run_dir: Path) -> Result:
    """Resume a run for one epoch more, in this process."""
    outcome = call("train_unet", "--run-dir", run_dir, *PLAN, "41", "--resume", "auto")
    return Result(outcome.status, outcome.printed + outcome.told, 0.0)


def check(result: Result, status: int) -> Result:
    """Check how it ended."""
    assert result.returncode == status, result.output
    return result


def no_trace(result: Result) -> bool:
    """Return whether neither a traceback of ours nor one of Keras's has been printed."""
    return no_traceback_of_ours(result) and "Traceback" not in result.output


def check_whole(run_dir: Path, epochs: int) -> None:
    """Check that checkpoints and model are whole, and histories at least as long."""
    found = list_checkpoints(run_dir / "checkpoints")
    assert found[-1][0].epoch == epochs
    for _, path in found:
        open_checkpoint(path).read()
    lines = (run_dir / "history.jsonl").read_text().splitlines()
    assert [json.loads(line)["epoch"] for line in lines][:epochs] == [*range(1, epochs + 1)]
    rows = (run_dir / "history.csv").read_text().splitlines()
    assert len(rows) == len(lines) + 1
    with zipfile.ZipFile(run_dir / "model.keras") as archive:
        assert archive.testzip() is None
    assert not [*run_dir.glob(".*"), *(run_dir / "checkpoints").glob(".*")]


def fill(disk: Path) -> None:
    """Take all room that is left."""
    with (disk / "ballast").open("ab", buffering=0) as file:
        for size in (1 << 16, 1 << 12):
            try:
                while True:
                    file.write(b"\1" * size)
            except OSError:
                continue


def free(disk: Path) -> None:
    """Give the room back."""
    (disk / "ballast").unlink()
