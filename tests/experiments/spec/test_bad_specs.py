"""Whatever is wrong with a spec: one line, status 2, and nothing is written."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.experiments.spec.bad_specs import BAD, Bad
from tests.scripts.in_process import Outcome, call


def attempt(verb: str, row: Bad, folder: Path) -> tuple[Outcome, set[str], set[str]]:
    """Call a verb on a spec in a folder of its own; return how it ended, and the paths before and after."""
    for name, text in {row.file: row.text, **row.more}.items():
        (folder / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    other = [flag[1:] for flag in row.flags if flag.startswith("+")]
    flags = [flag for flag in row.flags if not flag.startswith("+")]
    before = {str(path) for path in folder.rglob("*")}
    outcome = call("experiments", verb, *(other or [row.file]), *flags, folder=folder)
    return outcome, before, {str(path) for path in folder.rglob("*")}


@pytest.fixture(autouse=True)
def no_nodes_of_the_user(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "nothing"))


@pytest.mark.parametrize(
    "row", BAD, ids=[f"{number}-{row.message[:40]}" for number, row in enumerate(BAD)]
)
@pytest.mark.parametrize("verb", ["plan", "add"])
def test_a_mistake_in_a_spec_gets_one_line(verb: str, row: Bad, tmp_path: Path) -> None:
    outcome, before, after = attempt(verb, row, tmp_path)
    assert outcome.status == 2, outcome
    assert outcome.told.count("\n") == 1, outcome.told
    assert outcome.told.startswith(f"experiments {verb}: "), outcome.told
    assert row.message in outcome.told
    assert (outcome.printed, after) == ("", before)


def test_there_are_at_least_50_cases() -> None:
    assert len(BAD) >= 50
    assert len({(row.file, row.text, str(row.more), row.flags) for row in BAD}) == len(BAD)
