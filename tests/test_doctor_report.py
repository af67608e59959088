"""A support ticket holds what helps, and no secret that was planted."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path
from typing import Any

import pytest

from ddl.doctor import __main__ as doctor
from ddl.doctor.masking import Mask
from ddl.doctor.report import check_report, contents, report_path, write_report
from ddl.machine import HIDDEN
from ddl.training.plan.plan import Plan

SECRET = "hunter2-Tr0ub4dor"
ENVIRON = {"MY_API_TOKEN": SECRET, "HOME": "/home/alice", "SSH_AUTH_SOCK": "/tmp"}
MASK = Mask(ENVIRON, Path("/home/alice"))


@pytest.mark.parametrize(
    "text",
    [
        f"the log quotes {SECRET} itself",
        "--api-token abcdef123456",
        "--db-password=abcdef123456",
        "password: abcdef123456",
        "PASSWORD = 'abcdef123456'",
        'url {"api_key": "abcdef123456"}',
        "WANDB_API_KEY=abcdef123456 python train.py",
        "https://bob:abcdef123456@host/data.h5",
        "https://abcdef123456abcdef123456@host/x.git",
        "Authorization: Bearer abcdef123456",
        "ghp_abcdef123456abcdef123456",
        "hf_abcdef123456abcdef123456",
        "AKIAABCDEF1234567890",
        "eyJhbGciOiJ.eyJabcdef123456.abcdef123456",
        "-----BEGIN RSA PRIVATE KEY-----\nabcdef123456\n-----END RSA PRIVATE KEY-----",
        "-----BEGIN OPENSSH PRIVATE KEY-----\nabcdef123456",
    ],
)
def test_a_secret_is_hidden(text: str) -> None:
    hidden = MASK.text(f"before {text} after")
    assert HIDDEN in hidden
    assert "abcdef123456" not in hidden
    assert SECRET not in hidden
    assert hidden.startswith("before ")


@pytest.mark.parametrize(
    "text",
    [
        "epoch 3/5  loss 0.25  val_dice 0.91",
        "--data-option keys=image,mask --keep-last 2 --monitor val_loss",
        "Received: no key. Expected: one.",
        "2026-11-27 02:10:00,123  INFO  The model is runs/cells/model.keras.",
    ],
)
def test_other_text_stays(text: str) -> None:
    assert MASK.text(text) == text


def test_values_under_the_name_of_a_secret_are_hidden() -> None:
    values = {"a": {"db_password": ["x", 1], "keys": ["image"], "token_count": 3}, "b": [SECRET]}
    assert MASK.value(values) == {
        "a": {"db_password": HIDDEN, "keys": ["image"], "token_count": 3},
        "b": [HIDDEN],
    }


def test_the_home_folder_is_not_named() -> None:
    assert MASK.text("/home/alice/runs and /home/alicette") == "~/runs and /home/alicette"


@pytest.fixture
def run_dir(tmp_path: Path) -> Path:
    run = tmp_path / "cells"
    (run / "checkpoints").mkdir(parents=True)
    plan = Plan(run_dir=run, data=f"https://bob:{SECRET}@host/cells.h5")
    (run / "plan.json").write_text(plan.to_json())
    starts = {"starts": [{"command": f"train_unet.py --api-token {SECRET}", "hosts": {"a": 2}}]}
    (run / "facts.json").write_text(json.dumps(starts))
    (run / "log.txt").write_text(f"begin\npassword={SECRET}\nend\n")
    (run / "history.jsonl").write_text('{"epoch": 1, "loss": 0.5}\n')
    (run / "model.keras").write_text("weights")
    (run / "samples.png").write_text("pictures")
    (run / "checkpoints" / "epoch-0001.h5").write_text("more weights")
    (run / "network.dot").symlink_to("/etc/passwd")
    return run


def test_a_ticket_has_what_helps_and_nothing_else(
    run_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PLANTED_PASSWORD", SECRET)
    monkeypatch.setenv("PLANTED", "also-not-listed")
    facts = {
        "versions": {"ddl": "1"},
        "settings": {"OMP_NUM_THREADS": "1"},
        "horovod": {"error": SECRET},
    }
    monkeypatch.setattr(doctor.facts, "collect", lambda: facts)
    assert doctor.main(["--report", str(run_dir)]) == 0
    printed = capsys.readouterr().out
    assert "cells-report.tar.gz is written." in printed
    with tarfile.open("cells-report.tar.gz") as archive:
        names = archive.getnames()
        texts = {name: archive.extractfile(name).read().decode() for name in names}  # type: ignore[union-attr]
    assert [name.removeprefix("cells-report/") for name in names] == [
        *("machine.json", "files.txt", "plan.json", "facts.json", "history.jsonl", "log.txt"),
    ]
    whole = "".join(texts.values())
    assert SECRET not in whole
    assert "also-not-listed" not in whole
    assert "checkpoints/epoch-0001.h5" in texts["cells-report/files.txt"]
    assert json.loads(texts["cells-report/plan.json"])["model"] == "unet"
    assert "begin" in texts["cells-report/log.txt"]


def test_a_long_log_keeps_its_beginning_and_its_end(
    run_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ddl.doctor.report._MOST_BYTES", 1000)
    (run_dir / "log.txt").write_text("".join(f"line {number}\n" for number in range(1000)))
    log = dict(contents(run_dir, {}, MASK))["log.txt"]
    assert "line 0\n" in log
    assert "line 999\n" in log
    assert "bytes left out" in log
    assert len(log) < 2100


def test_the_same_run_gives_the_same_ticket(
    run_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    tickets = []
    for _ in range(2):
        write_report(run_dir, {}, MASK)
        tickets.append(report_path(run_dir).read_bytes())
    assert tickets[0] == tickets[1]


def test_another_folder_is_refused(tmp_path: Path, capsys: Any) -> None:
    assert doctor.main(["--report", str(tmp_path)]) == 2
    assert "which is no run directory. Expected: a folder with" in capsys.readouterr().err
    with pytest.raises(ValueError, match="no run directory"):
        check_report(tmp_path / "missing")
