"""Looking for command, folder and place on this machine, and ddl's own scripts on trial."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from ddl.experiments.backends.backend import open_backend
from ddl.experiments.preflight.checks import NO, OK, UNKNOWN, Check
from ddl.experiments.preflight.probe import (
    Site,
    check_by_dry_run,
    check_by_scheduler,
    check_place,
    own_words,
)
from ddl.experiments.spec.node import Node
from ddl.experiments.spec.records import Experiment, Run


def site(folder: Path, is_sent: bool = False) -> Site:
    return Site(folder=str(folder), root=str(folder / "experiments" / "cells"), is_sent=is_sent)


def look(folder: Path, argv: tuple[str, ...], setup: str = "", **run: Any) -> dict[str, Check]:
    backend = open_backend(Node(name="here", setup=setup))
    record = Experiment(run=Run(argv=argv, **run))
    return {check.what: check for check in check_place(backend, record, site(folder))}


def test_a_command_that_is_there_is_found(tmp_path: Path):
    found = look(tmp_path, ("sh", "-c", "true"))
    assert {check.verdict for check in found.values()} == {OK}
    assert "/sh" in found["command"].text


def test_a_program_of_the_folder_is_found(tmp_path: Path):
    (tmp_path / "train").write_text("#!/bin/sh\n")
    (tmp_path / "train").chmod(0o755)
    assert look(tmp_path, ("./train",))["command"].verdict == OK


def test_a_command_that_is_not_there_is_no(tmp_path: Path):
    check = look(tmp_path, ("trainx", "--fast"))["command"]
    assert (check.verdict, check.text) == (NO, "no program trainx there")


def test_a_setup_may_bring_the_command_and_print_what_it_likes(tmp_path: Path):
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "trainx").write_text("#!/bin/sh\n")
    (tmp_path / "bin" / "trainx").chmod(0o755)
    setup = f"printf 'loading modules'; export PATH={tmp_path}/bin:$PATH"
    assert look(tmp_path, ("trainx",), setup)["command"].verdict == OK


def test_a_folder_that_is_not_there_is_no(tmp_path: Path):
    assert look(tmp_path / "away", ("sh",))["folder"].verdict == NO


def test_what_is_sent_at_the_submit_need_not_be_there(tmp_path: Path):
    backend = open_backend(Node(name="here"))
    record = Experiment(run=Run(argv=("./train",)))
    found = check_place(backend, record, site(tmp_path / "away", is_sent=True))
    assert {check.what: check.verdict for check in found} == {
        "folder": UNKNOWN,
        "place": OK,
        "command": UNKNOWN,
    }


def test_a_place_that_cannot_be_written_is_no(tmp_path: Path):
    backend = open_backend(Node(name="here"))
    record = Experiment(run=Run(argv=("sh",)))
    (tmp_path / "file").write_text("")  # root may write into any folder
    nowhere = Site(folder=str(tmp_path), root=str(tmp_path / "file" / "cells"), is_sent=False)
    found = {check.what: check for check in check_place(backend, record, nowhere)}
    assert found["place"].verdict == NO


def test_nothing_is_written_by_a_look(tmp_path: Path):
    look(tmp_path, ("sh",))
    assert list(tmp_path.iterdir()) == []


def test_odd_names_reach_no_shell(tmp_path: Path):
    odd = tmp_path / "a b'$(touch x)"
    odd.mkdir()
    assert look(odd, ("$(touch y)",))["folder"].verdict == OK
    assert list(odd.iterdir()) == []


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        (("python", "scripts/train_unet.py", "--a"), ["python", "scripts/train_unet.py", "--a"]),
        (
            ("horovodrun", "-np", "2", "python3", "train_unet.py", "--a"),
            ["python3", "train_unet.py", "--a"],
        ),
        (("./other.py", "train_unet.pyx"), []),
        (("train_unet.py",), []),
    ],
)
def test_the_launcher_in_front_of_a_script_is_left_out(argv: tuple[str, ...], expected: list[str]):
    assert own_words(argv, "train_unet.py") == expected


@pytest.mark.parametrize(("status", "verdict"), [(0, OK), (2, NO), (1, UNKNOWN)])
def test_a_trial_of_our_own_script_decides_by_its_status(tmp_path: Path, status: int, verdict: str):
    code = f"import sys; print('Received: x. Expected: y.', file=sys.stderr); sys.exit({status})"
    (tmp_path / "train_unet.py").write_text(f"import sys\nassert '--dry-run' in sys.argv\n{code}\n")
    run = Run(argv=(sys.executable, "train_unet.py", "{run_dir}"), own="train_unet.py")
    backend = open_backend(Node(name="here"))
    (check,) = check_by_dry_run(backend, Experiment(run=run), site(tmp_path))
    assert check.verdict == verdict
    assert status == 0 or "Received: x. Expected: y." in check.text


def test_foreign_commands_are_not_tried(tmp_path: Path):
    backend = open_backend(Node(name="here"))
    record = Experiment(run=Run(argv=("touch", "x")))
    assert check_by_dry_run(backend, record, site(tmp_path)) == []
    assert check_by_scheduler(backend, record) == []
