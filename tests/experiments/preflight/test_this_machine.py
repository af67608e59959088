"""What this machine has, and what a store's file system can do."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ddl.experiments.preflight import this_machine
from ddl.experiments.preflight.checks import NO, OK, UNKNOWN
from ddl.experiments.preflight.this_machine import (
    check_home,
    check_mail,
    check_programs,
    check_store,
)


def test_a_store_on_a_good_file_system_is_ok_and_stays_as_it_was(tmp_path: Path):
    found = {check.what: check.verdict for check in check_store(tmp_path)}
    assert set(found) == {"store", "links", "claims", "locks", "clock", "disk"}
    assert {found[name] for name in ("store", "links", "claims", "locks", "clock")} == {OK}
    assert list(tmp_path.iterdir()) == []


def test_a_store_that_cannot_be_written_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def refuse(**_: object) -> str:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(this_machine.tempfile, "mkdtemp", refuse)
    (check,) = check_store(tmp_path)
    assert check.verdict == NO
    assert "Read-only file system; looking still works" in check.text


def test_a_store_without_links_has_another_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def refuse(self: Path, target: Path) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(Path, "hardlink_to", refuse)
    found = {check.what: check for check in check_store(tmp_path)}
    assert found["links"].verdict == OK
    assert "O_EXCL" in found["links"].text


def test_missing_programs_are_named_with_what_they_are_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("PATH", str(tmp_path))
    found = {check.what: check for check in check_programs()}
    assert found["rsync"].verdict == UNKNOWN
    assert "do not see the store" in found["rsync"].text
    assert found["Slurm"].verdict == OK


def test_half_of_slurms_commands_is_a_mistake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "sbatch").write_text("#!/bin/sh\n")
    (tmp_path / "sbatch").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    found = {check.what: check for check in check_programs()}
    assert found["Slurm"].verdict == NO


def test_mail_without_settings_is_unknown_and_with_bad_ones_no(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert check_mail().verdict == UNKNOWN
    (tmp_path / "ddl").mkdir()
    (tmp_path / "ddl" / "mail.yaml").write_text("host: [\n")
    assert check_mail().verdict == NO


def test_a_place_for_the_queue_is_needed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("DDL_NODE_HOME", str(tmp_path / "a" / "b"))
    assert check_home().verdict == OK
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert check_home().verdict == NO
