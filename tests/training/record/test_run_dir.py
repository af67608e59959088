"""A run's folder is refused before anything is written, and its log takes what ddl says."""

from __future__ import annotations

import logging
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from ddl.training.record.run_dir import check_run_dir, claim_run_dir, open_log, spare_training
from tests.small_files import limited_files

logger = logging.getLogger("ddl")


def claim(path: Path, *, resume: bool) -> None:
    with claim_run_dir(path, resume=resume):
        pass


def test_one_job_at_a_time(tmp_path: Path) -> None:
    refused = pytest.raises(ValueError, match=r"where another job is training\. Expected: one at")
    with claim_run_dir(tmp_path / "run", resume=False), refused:
        claim(tmp_path / "run", resume=True)
    claim(tmp_path / "run", resume=True)
    assert list((tmp_path / "run").iterdir()) == []


@pytest.mark.parametrize("name", ["plan.json", "history.jsonl", "model.keras", "checkpoints/a.h5"])
def test_a_run_is_overwritten_only_when_resumed(tmp_path: Path, name: str) -> None:
    trace = tmp_path / name
    trace.parent.mkdir(exist_ok=True)
    trace.write_text("")
    with pytest.raises(
        ValueError,
        match=r"already holds a run\..*To continue that run, use --resume auto; otherwise choose another",
    ):
        claim(tmp_path, resume=False)
    claim(tmp_path, resume=True)


def test_other_files_are_no_run(tmp_path: Path) -> None:
    (tmp_path / "slurm-1.out").write_text("")
    (tmp_path / "checkpoints").mkdir()
    claim(tmp_path, resume=False)
    claim(tmp_path / "a/b", resume=True)
    assert (tmp_path / "a/b").is_dir()


def test_what_is_no_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    for name, what in (
        ("file", "file is not a folder"),
        ("file/sub/run", "file is not a folder"),
        ("link", "link is a broken link"),
        ("link/run", "link is a broken link"),
    ):
        with pytest.raises(ValueError, match=rf"but .*{what}\. Expected: a folder"):
            claim(tmp_path / name, resume=True)
    with pytest.raises(ValueError, match="File name too long"):
        claim(tmp_path / ("n" * 300), resume=False)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "link"]


def test_what_cannot_be_written_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Root may write everywhere, so that the system's answer is a stand-in here."""
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != tmp_path)
    with pytest.raises(ValueError, match=rf"but {re.escape(str(tmp_path))} cannot be written"):
        check_run_dir(tmp_path / "a/b", resume=False)
    assert list(tmp_path.iterdir()) == []


def test_a_relative_folder_is_fine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    claim(Path("runs/a"), resume=False)
    assert (tmp_path / "runs/a").is_dir()


def test_the_log_gets_what_ddl_says_with_times(tmp_path: Path) -> None:
    for start in (1, 2):
        with open_log(tmp_path) as log:
            logger.info("start %d", start)
            logger.debug("no one reads this")
            log.write_line("epoch 1/1  100%")
    logger.warning("after the end")
    lines = (tmp_path / "log.txt").read_text().splitlines()
    assert [re.sub(r"^[-0-9]{10} [:,0-9]{12}  ", "", line) for line in lines] == [
        "INFO  start 1",
        "INFO  epoch 1/1  100%",
        "INFO  start 2",
        "INFO  epoch 1/1  100%",
    ]
    assert logger.handlers == []


def test_warnings_reach_people_who_set_up_no_logging(tmp_path: Path) -> None:
    code = (
        "import logging; from pathlib import Path; from ddl.training.record.run_dir import open_log\n"
        "log = logging.getLogger('ddl')\n"
        f"with open_log(Path({str(tmp_path)!r})): log.info('quiet'); log.warning('heard')"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stderr == "heard\n"


def test_a_full_disk_ends_the_log_with_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with open_log(tmp_path), limited_files(0):
        logger.info("one")
        logger.info("two")
    assert capsys.readouterr().err == (
        f"Could not write {tmp_path}/log.txt: File too large. Training continues without the log.\n"
    )


def test_a_failed_picture_is_one_warning(caplog: pytest.LogCaptureFixture) -> None:
    with spare_training("curves.png"):
        raise OSError(28, "No space left on device")
    assert caplog.messages == [
        "Could not write curves.png: No space left on device. Training continues; free some space."
    ]
    with pytest.raises(ValueError, match="a bug"), spare_training("curves.png"):
        raise ValueError("a bug")
