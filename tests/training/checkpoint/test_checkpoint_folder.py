"""Which checkpoint `--resume` means, and which ones may go."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ddl.data.order import Position
from ddl.training.checkpoint.checkpoint_file import write_checkpoint
from ddl.training.checkpoint.checkpoint_folder import (
    Retention,
    checkpoint_name,
    find_checkpoint,
    list_checkpoints,
    prune_checkpoints,
    remove_leftovers,
    set_newer_aside,
)
from ddl.training.optimization.monitor import better_is
from tests.training.checkpoint.snapshots import hashed, make_snapshot

__all__ = ["hashed"]

DICE = [0.5, 0.7, float("nan"), 0.7, 0.6]
HISTORY = [{"epoch": n, "seconds": 1.0, "val_dice": dice} for n, dice in enumerate(DICE, 1)]


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run of five epochs and some steps, without epoch 3."""
    for epoch, step in ((1, 0), (2, 0), (4, 0), (4, 20), (5, 0), (5, 7)):
        path = tmp_path / "run" / "checkpoints" / checkpoint_name(epoch, step)
        write_checkpoint(path, make_snapshot(epoch, step, history=HISTORY[:epoch]))
    (path.parent / f".123.{checkpoint_name(6)}").write_bytes(b"half")
    (path.parent / "epoch-best.h5").write_bytes(b"of the user")
    return tmp_path / "run"


def damage(run: Path, epoch: int, step: int = 0) -> Path:
    path = run / "checkpoints" / checkpoint_name(epoch, step)
    path.write_bytes(path.read_bytes()[:-10])
    return path


def found(run: Path, resume: str, **keywords: Any) -> str:
    checkpoint = find_checkpoint(run, resume, **keywords)
    assert checkpoint is not None
    assert checkpoint.path.parent == run / "checkpoints"
    assert checkpoint.path.name == checkpoint_name(**checkpoint.facts["position"])
    return checkpoint.path.name


def test_names_sort_as_the_training_went(run: Path) -> None:
    positions = [position for position, _ in list_checkpoints(run / "checkpoints")]
    assert positions == [Position(*at) for at in ((1,), (2,), (4,), (4, 20), (5,), (5, 7))]
    assert checkpoint_name(40) == "epoch-0040.h5"
    assert checkpoint_name(40, 123) == "epoch-0040-step-000123.h5"
    assert checkpoint_name(12345, 1234567) == "epoch-12345-step-1234567.h5"
    assert list_checkpoints(run / "nowhere") == []


def test_only_leftovers_are_removed(run: Path) -> None:
    names = {path.name for path in (run / "checkpoints").iterdir()}
    remove_leftovers(run / "checkpoints")
    left = {path.name for path in (run / "checkpoints").iterdir()}
    assert names - left == {".123.epoch-0006.h5"}
    remove_leftovers(run / "nowhere")


def test_every_way_to_resume(run: Path, tmp_path: Path) -> None:
    assert found(run, "4") == found(run, "0004") == "epoch-0004.h5"
    assert found(run, "auto") == "epoch-0005-step-000007.h5"
    assert found(run, "best", monitor="val_dice") == "epoch-0002.h5"
    assert found(run, "best", monitor="val_dice", mode="min") == "epoch-0001.h5"
    path = run / "checkpoints" / "epoch-0004-step-000020.h5"
    taken = find_checkpoint(tmp_path / "new", str(path))
    assert taken is not None
    assert taken.path == path
    for folder in (run, run / "checkpoints"):
        newest = find_checkpoint(tmp_path / "new", str(folder))
        assert newest is not None
        assert newest.path.name == "epoch-0005-step-000007.h5"
    assert find_checkpoint(tmp_path / "new", "auto") is None


@pytest.mark.parametrize(
    ("resume", "monitor", "message"),
    [
        ("3", "", r"--resume 3\. .* epochs 1-2, 4-5 and epoch-0004-step-000020.h5 and epoch-0005"),
        ("-4", "", r"--resume -4, which is neither a checkpoint nor a run .* epochs 1-2, 4-5"),
        (
            "bset",
            "",
            r"--resume bset, which is neither .* Expected: auto, best, a path or an epoch",
        ),
        ("best", "val_iou", r"best by 'val_iou', .* Expected: val_dice; .* epochs 1-2, 4-5"),
    ],
)
def test_what_is_not_there_is_refused_with_what_is(
    run: Path, resume: str, monitor: str, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        find_checkpoint(run, resume, monitor)


@pytest.mark.parametrize("resume", ["1", "best", "."])
def test_nothing_to_resume_from_is_said(
    tmp_path: Path, resume: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=rf"--resume {resume}.* checkpoints has none\."):
        find_checkpoint(Path(), resume)


def test_auto_goes_past_damaged_ones_and_names_them(
    run: Path, caplog: pytest.LogCaptureFixture
) -> None:
    damage(run, 5, 7)
    damage(run, 5)
    with caplog.at_level(logging.WARNING, "ddl"):
        assert found(run, "auto") == "epoch-0004-step-000020.h5"
    assert [name in caplog.text for name in ("0005-step-000007.h5 is", "0005.h5 is")] == [True] * 2
    for epoch, step in ((1, 0), (2, 0), (4, 0), (4, 20)):
        damage(run, epoch, step)
    with pytest.raises(ValueError, match="all 6 checkpoints are damaged"):
        find_checkpoint(run, "auto")


def test_a_damaged_one_that_was_named_is_refused_with_the_one_before(run: Path) -> None:
    damage(run, 4)
    with pytest.raises(ValueError, match=r"epoch-0004\.h5 is damaged.* --resume 2 is intact\."):
        find_checkpoint(run, "4")
    path = damage(run, 2)
    with pytest.raises(ValueError, match=r"epoch-0002\.h5 is damaged.* next best is --resume 5\."):
        find_checkpoint(run, "best", "val_dice")
    damage(run, 1)
    with pytest.raises(
        ValueError, match=r"epoch-0002\.h5 is damaged.* There is no intact one before it\."
    ):
        find_checkpoint(run, "2")
    with pytest.raises(ValueError, match=r"epoch-0002\.h5 is damaged"):
        find_checkpoint(run, str(path))


@pytest.mark.parametrize(
    ("resume", "files"),
    [
        ("auto", ["epoch-0005-step-000007.h5"]),
        ("best", ["epoch-0005-step-000007.h5", "epoch-0002.h5"]),  # the newest has the history
        ("4", ["epoch-0004.h5"]),
        ("{run}/checkpoints/epoch-0004-step-000020.h5", ["epoch-0004-step-000020.h5"]),
        ("{run}", ["epoch-0005-step-000007.h5"]),
    ],
)
def test_a_file_is_hashed_once_between_the_order_to_resume_and_the_weights(
    run: Path, resume: str, files: list[str], hashed: list[str]
) -> None:
    checkpoint = find_checkpoint(run, resume.format(run=run), "val_dice")
    assert checkpoint is not None
    assert checkpoint.read().facts == checkpoint.facts
    assert hashed == files


def test_the_newest_is_hashed_once_where_it_is_the_best(run: Path, hashed: list[str]) -> None:
    (run / "checkpoints" / "epoch-0005-step-000007.h5").unlink()
    assert found(run, "best", monitor="val_dice", mode="max") == "epoch-0002.h5"
    hashed.clear()
    (run / "checkpoints" / "epoch-0002.h5").unlink()
    (run / "checkpoints" / "epoch-0004.h5").unlink()
    assert found(run, "best", monitor="val_dice") == "epoch-0005.h5"
    assert hashed == ["epoch-0005.h5"]


def test_of_damaged_ones_no_more_is_read_than_it_takes(run: Path, hashed: list[str]) -> None:
    path = run / "checkpoints" / "epoch-0005.h5"
    path.write_bytes(path.read_bytes()[:-1] + b"!")
    with pytest.raises(ValueError, match=r"--resume 4 is intact"):
        find_checkpoint(run, "5")
    assert hashed == ["epoch-0005.h5", "epoch-0004.h5"]


def test_what_came_after_is_set_aside_and_not_lost(run: Path) -> None:
    folder = run / "checkpoints"
    moved = set_newer_aside(folder, Position(4))
    assert sorted(path.name for path in moved) == [
        "epoch-0004-step-000020.h5",
        "epoch-0005-step-000007.h5",
        "epoch-0005.h5",
    ]
    assert {path.parent for path in moved} == {folder / "set-aside-1"}
    assert found(run, "auto") == "epoch-0004.h5"
    assert set_newer_aside(folder, Position(4)) == []
    assert set_newer_aside(folder, Position(2))[0].parent == folder / "set-aside-2"


def test_more_is_better_where_the_name_says_so() -> None:
    better = ("val_dice", "iou", "precision", "val_recall", "top_5_accuracy", "binary_accuracy")
    assert [better_is(name) for name in better] == ["max"] * 6
    assert [better_is(name) for name in ("val_loss", "hausdorff_95", "dice_loss")] == ["min"] * 3
    assert better_is("val_dice", "min") == "min"
    with pytest.raises(ValueError, match=r"mode='most'\. Expected one of: auto, min, max\."):
        better_is("val_dice", "most")


def gone(positions: list[tuple[int, int]], last: int, best: int, every: int) -> list[Any]:
    retention = Retention(last, best, every, monitor="val_dice", mode="max")
    left = retention.superseded([Position(*position) for position in positions], HISTORY)
    return [(position.epoch, position.step) for position in left]


ENDS = [(1, 0), (2, 0), (3, 0), (4, 0), (5, 0)]


@pytest.mark.parametrize(
    ("last", "best", "every", "kept"),
    [
        (1, 0, 0, [5]),
        (2, 0, 0, [4, 5]),
        (9, 0, 0, [1, 2, 3, 4, 5]),
        (0, 0, 0, [5]),
        (1, 1, 0, [2, 5]),  # the earlier of equals
        (1, 3, 0, [2, 4, 5]),
        (1, 9, 0, [1, 2, 4, 5]),  # never what is no number
        (1, 0, 3, [3, 5]),
        (1, 0, 2, [2, 4, 5]),
    ],
)
def test_last_best_and_every_so_many_stay(
    last: int, best: int, every: int, kept: list[int]
) -> None:
    assert [end for end in ENDS if end not in gone(ENDS, last, best, every)] == [
        (epoch, 0) for epoch in kept
    ]


def test_one_in_the_middle_stays_until_there_is_a_newer_one() -> None:
    assert gone([*ENDS, (5, 7)], 9, 0, 0) == []
    assert gone([*ENDS, (5, 7), (5, 9)], 9, 0, 0) == [(5, 7)]
    assert gone([*ENDS, (4, 7)], 9, 0, 0) == [(4, 7)]
    assert gone([(4, 0), (4, 7)], 0, 0, 0) == [(4, 0)]


def positions() -> st.SearchStrategy[set[Position]]:
    return st.sets(st.builds(Position, st.integers(0, 30), st.integers(0, 3)), min_size=1)


@given(positions(), st.integers(0, 4), st.integers(0, 4), st.integers(0, 4), st.data())
def test_the_newest_and_the_best_always_stay(
    there: set[Position], last: int, best: int, every: int, data: st.DataObject
) -> None:
    values = data.draw(st.lists(st.floats(), min_size=30, max_size=30))
    history = [{"epoch": n, "loss": value} for n, value in enumerate(values, 1)]
    left = there - set(Retention(last, best, every, "loss").superseded(there, history))
    assert max(there) in left
    ends = [position.epoch for position in there if not position.step and position.epoch]
    finite = [epoch for epoch in ends if abs(values[epoch - 1]) < float("inf")]
    if best and finite:
        assert Position(min(finite, key=lambda epoch: (values[epoch - 1], epoch))) in left
    ends = [position for position in sorted(there) if not position.step]
    assert not last or set(ends[-last:]) <= left
    assert len(left) <= 1 + last + best + (len(ends) if every else 0)


def test_pruning_removes_what_may_go_and_nothing_else(run: Path) -> None:
    removed = prune_checkpoints(
        run / "checkpoints", Retention(keep_last=1, monitor="val_dice"), HISTORY
    )
    assert {path.name for path in removed} == set(_names((1, 0), (4, 0), (4, 20)))
    left = {path.name for path in (run / "checkpoints").iterdir()}
    assert left == {*_names((2, 0), (5, 0), (5, 7)), "epoch-best.h5", ".123.epoch-0006.h5"}


def _names(*positions: tuple[int, int]) -> Iterator[str]:
    return (checkpoint_name(*position) for position in positions)
