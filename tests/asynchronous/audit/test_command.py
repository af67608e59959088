"""scripts/replay.py: what it says and how it ends, before any weights are needed."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from ddl.asynchronous.ages import AgeRules
from ddl.asynchronous.audit.log import NAME, start_line
from ddl.data.order import Position, SampleOrder
from scripts import replay
from tests.asynchronous.audit.test_check import update
from tests.asynchronous.pretended import pretended_plan

ORDER = SampleOrder("global", 10, 1, 4, 0)


@pytest.fixture
def run_dir(tmp_path: Path) -> Path:
    """A run whose log is whole, without checkpoints."""
    plan = pretended_plan(tmp_path / "run")
    plan.run_dir.mkdir()
    (plan.run_dir / "plan.json").write_text(plan.to_json())
    begin = start_line(plan.to_dict(), "data", ORDER, Position(), AgeRules(4), None)
    write(plan.run_dir, [begin, *(update(number, number + 1) for number in range(10))])
    return plan.run_dir


def write(run_dir: Path, lines: list[dict[str, Any]]) -> None:
    (run_dir / NAME).write_text("".join(json.dumps(line) + "\n" for line in lines))


def lines_of(run_dir: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run_dir / NAME).read_text().splitlines()]


def status(*words: str | Path) -> int:
    with pytest.raises(SystemExit) as ended:
        replay.main([str(word) for word in words])
    return int(ended.value.code or 0)


def _no_log(run_dir: Path) -> None:
    (run_dir / NAME).unlink()


def _no_plan(run_dir: Path) -> None:
    (run_dir / "plan.json").unlink()


def _damaged_plan(run_dir: Path) -> None:
    (run_dir / "plan.json").write_text("{")


def _other_plan(run_dir: Path) -> None:
    plan = pretended_plan(run_dir, learning_rate=0.5)
    (run_dir / "plan.json").write_text(plan.to_json())


def _damaged_line(run_dir: Path) -> None:
    lines = (run_dir / NAME).read_text().splitlines(keepends=True)
    (run_dir / NAME).write_text("".join([*lines[:3], "{oops\n", *lines[3:]]))


def _empty(run_dir: Path) -> None:
    (run_dir / NAME).write_text("")


def _pipe(run_dir: Path) -> None:
    (run_dir / NAME).unlink()
    os.mkfifo(run_dir / NAME)


def _folder(run_dir: Path) -> None:
    (run_dir / NAME).unlink()
    (run_dir / NAME).mkdir()


def _damaged_checkpoint(run_dir: Path) -> None:
    (run_dir / "checkpoints").mkdir()
    (run_dir / "checkpoints" / "epoch-0001.h5").write_text("no checkpoint")


def _as_it_is(run_dir: Path) -> None:
    pass


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (_no_log, f"without {NAME}. Expected: a run that trained with --parallel async"),
        (_no_plan, "where plan.json cannot be read"),
        (_damaged_plan, "which is not a plan"),
        (_other_plan, "line 1, a log of another plan than plan.json"),
        (_damaged_line, f"{NAME}, line 4, which is damaged"),
        (_empty, "without a start"),
        (_pipe, "a named pipe"),
        (_folder, "which cannot be read"),
        (_damaged_checkpoint, "which is not a ddl checkpoint"),
        (_as_it_is, "which has no checkpoint of its log yet"),
    ],
)
def test_bad_input_is_one_line(
    spoil: Any, told: str, run_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spoil(run_dir)
    assert status(run_dir) == 2
    output = capsys.readouterr()
    assert told in output.err
    assert output.err.startswith("replay: Received: ")
    assert (output.err.count("\n"), output.out) == (1, "")


@pytest.mark.parametrize("words", [("nowhere",), (__file__,)])
def test_what_is_no_run_is_refused(words: tuple[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert status(*words) == 2
    assert "which is no folder. Expected: a run directory." in capsys.readouterr().err


def test_several_ranks_are_refused(
    run_dir: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from ddl.asynchronous.audit import command
    from ddl.distributed.job.launcher import Placement

    monkeypatch.setattr(command, "placement", lambda: Placement(size=2))
    assert status(run_dir) == 2
    assert "replay.py on 2 ranks. Expected: one process" in capsys.readouterr().err


def test_a_lease_twice_ends_with_1_and_its_line(
    run_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(run_dir, [*lines_of(run_dir)[:6], update(2, 6)])
    assert status(run_dir) == 1
    shown = capsys.readouterr().out
    assert shown == f"{run_dir}: differs. Line 7: lease 2 is applied twice, first by line 4.\n"


def test_json_says_the_same(run_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(run_dir, [*lines_of(run_dir)[:6], update(2, 6)])
    assert status(run_dir, "--json") == 1
    values = json.loads(capsys.readouterr().out)
    assert (values["equal"], values["line"]) == (False, 7)
    assert values["problem"] == "line 7: lease 2 is applied twice, first by line 4"


def test_the_help_names_the_statuses(capsys: pytest.CaptureFixture[str]) -> None:
    assert status("--help") == 0
    shown = capsys.readouterr().out
    assert all(text in shown for text in ("Exit status 0", "--json", "--data"))
