"""A replay comes to the weights of the run, and finds what is not as the log says."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ddl.asynchronous.audit.check import Differs
from ddl.asynchronous.audit.command import find_run
from ddl.asynchronous.audit.log import LOST, NAME, resume_log
from ddl.asynchronous.audit.replay import Material, Report, replay
from ddl.asynchronous.epoch_leases import Lease
from ddl.asynchronous.keras_weights import write_weights
from ddl.asynchronous.server_state import Push
from tests.asynchronous.pretended import PretendedRun, pretended_plan, train_pretended

RANDOM = {
    "augment": {"flip": True, "noise": 0.05},
    "model_option": {"dropout": 0.3, "norm": "batch"},
}
AT = 9
"""The push that is sabotaged."""


def replayed(run_dir: Path, run: PretendedRun) -> Report:
    found = find_run(run_dir)
    material = Material(
        run_dir, found.plan, run.data, found.extent, found.files, found.facts, found.final
    )
    return replay(material)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> PretendedRun:
    """A run of 3 workers, with augmentation, dropout and batch normalization."""
    return train_pretended(pretended_plan(tmp_path_factory.mktemp("run") / "run", **RANDOM), 3)


def test_a_replay_comes_to_the_same_weights(trained: PretendedRun) -> None:
    report = replayed(trained.plan.run_dir, trained)
    assert (report.is_equal, report.updates) == (True, trained.state.version)
    assert [each.file for each in report.compared] == (
        ["checkpoints/epoch-0001.h5", "checkpoints/epoch-0002.h5", "model.keras"]
    )
    assert all(each.difference <= 1e-5 for each in report.compared)
    assert report.oldest > 2
    assert report.kept <= 3  # versions that a worker still computes on


def test_each_sample_is_in_the_log_once_an_epoch(trained: PretendedRun) -> None:
    lines = [json.loads(text) for text in (trained.plan.run_dir / NAME).read_text().splitlines()]
    leases = [line["lease"] for line in lines if "lease" in line]
    assert sorted(leases) == list(range(trained.state.version))
    assert leases != sorted(leases)


class Twice:
    """A push whose update is made twice, and logged once."""

    def __call__(self, run: PretendedRun, count: int, lease: Lease, push: Push) -> Push:
        if count == AT:
            run.weights.apply(push, 0.3, 1)
        return push


class Torn:
    """A gradient computed on weights of which half are of another version."""

    def __call__(self, run: PretendedRun, count: int, lease: Lease, push: Push) -> Push:
        if count != AT:
            return push
        now = run.weights.read()
        torn = [a if place % 2 else 0.5 * a for place, a in enumerate(now)]
        write_weights(run.computing, torn)
        return run.gradient(lease)


class Dropped:
    """An update that is logged, and not made."""

    def __call__(self, run: PretendedRun, count: int, lease: Lease, push: Push) -> Push:
        if count == AT:
            before, apply = run.weights.read(), run.weights.apply

            def without(*arguments: Any) -> None:
                apply(*arguments)
                write_weights(run.replica.model, before)
                run.weights.apply = apply  # type: ignore[method-assign]

            run.weights.apply = without  # type: ignore[method-assign]
        return push


@pytest.mark.parametrize(
    ("sabotage", "told"),
    [
        (Twice(), "the weights after it differ"),
        (Torn(), "it was computed on other weights or samples"),
        (Dropped(), "the update was not applied, or not as logged"),
    ],
    ids=["applied twice", "torn snapshot", "dropped update"],
)
def test_sabotage_is_found_with_its_line(sabotage: Any, told: str, tmp_path: Path) -> None:
    run = PretendedRun(pretended_plan(tmp_path / "run", epochs=1, **RANDOM), 3)
    run.sabotage = sabotage
    run.start().epoch(0)
    run.finish()
    report = replayed(tmp_path / "run", run)
    assert not report.is_equal
    assert report.line == 1 + AT  # the first line is the start
    assert f"line {1 + AT}: " in report.problem
    assert told in report.problem


def test_a_resumed_run_replays_and_counts_no_update_twice(tmp_path: Path) -> None:
    plan = pretended_plan(tmp_path / "run", optimizer="adam", **RANDOM)
    first = PretendedRun(plan, 3).start()
    first.epoch(0, steps=2)
    name = next((tmp_path / "run" / "checkpoints").glob("epoch-0000-step-*.h5"))
    kept = first.state.version
    first.state.book.go_on()
    for worker in ("a", "b"):  # what comes after the checkpoint is lost
        lease = first.state.next(worker, 0.0)
        assert lease is not None
        first.push(worker, lease, first.state.read())
    first.log.close()
    assert resume_log(tmp_path / "run", kept) == 2
    assert len((tmp_path / "run" / LOST).read_text().splitlines()) == 2
    second = PretendedRun(plan, 3, seed=5).start(f"checkpoints/{name.name}")
    assert second.state.version == kept
    second.epoch(0)
    second.epoch(1)
    second.finish()
    report = replayed(tmp_path / "run", second)
    assert report.problem == ""
    assert [each.version for each in report.compared] == [kept, 12, 24, 24]
    assert all(each.difference <= 1e-5 for each in report.compared)


def test_a_run_that_still_goes_is_replayed_to_where_it_is(
    trained: PretendedRun, tmp_path: Path
) -> None:
    run_dir = tmp_path / "run"
    shutil.copytree(trained.plan.run_dir, run_dir)
    (run_dir / "model.keras").unlink()
    (run_dir / "checkpoints" / "epoch-0002.h5").unlink()
    lines = (run_dir / NAME).read_text().splitlines(keepends=True)
    (run_dir / NAME).write_text("".join(lines[:16]) + lines[16][:30])
    report = replayed(run_dir, trained)
    assert report.is_equal
    assert (report.updates, [each.version for each in report.compared]) == (15, [12])


def test_a_log_that_ends_before_a_checkpoint_lacks_updates(
    trained: PretendedRun, tmp_path: Path
) -> None:
    run_dir = tmp_path / "run"
    shutil.copytree(trained.plan.run_dir, run_dir)
    lines = (run_dir / NAME).read_text().splitlines(keepends=True)
    (run_dir / NAME).write_text("".join(lines[:16]))
    with pytest.raises(Differs, match=r"ends at version 15, but epoch-0002\.h5 has version 24"):
        find_run(run_dir)


def test_other_data_than_the_logs_are_refused(trained: PretendedRun, tmp_path: Path) -> None:
    found = find_run(trained.plan.run_dir)
    other = PretendedRun(
        pretended_plan(tmp_path / "other", data_option={"count": 43, "classes": 3, "seed": 9}), 3
    )
    material = Material(
        trained.plan.run_dir, found.plan, other.data, found.extent, found.files, found.facts
    )
    with pytest.raises(ValueError, match="other data than the log was written on"):
        replay(material)


def test_marks_see_one_changed_weight() -> None:
    from ddl.asynchronous.audit.log import Mark

    mark, arrays = Mark(), [np.ones((30, 30), np.float32), np.zeros(100, np.float32)]
    before = mark(arrays)
    arrays[0][3, 4] += 0.01
    assert abs(mark(arrays) - before) == pytest.approx(0.01 / 1000**0.5, rel=0.05)
