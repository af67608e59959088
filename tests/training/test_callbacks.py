"""A user's own Keras callbacks in our loop: the hooks of `fit`, logs of all ranks, and an end that all ranks share."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import pytest

import ddl.distributed as dist
from ddl.training.loop import train
from ddl.training.plan.plan import Plan
from ddl.training.run import Epoch
from tests.ranks import call_ranks


class Hooks(keras.callbacks.Callback):
    """Notes each hook of an epoch, and the logs at its end."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []
        self.logs: list[dict[str, float]] = []
        self.last_logs: dict[str, float] = {}

    def on_train_begin(self, logs: Any = None) -> None:
        self.seen.append("train begins")

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self.seen.append(f"epoch {epoch} begins")

    def on_test_begin(self, logs: Any = None) -> None:
        self.seen.append("test begins")

    def on_test_end(self, logs: Any = None) -> None:
        self.seen.append("test ends")

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self.seen.append(f"epoch {epoch} ends")
        self.logs.append(dict(logs))

    def on_train_end(self, logs: Any = None) -> None:
        self.seen.append("train ends")
        self.last_logs = dict(logs)


class Steps(keras.callbacks.Callback):
    """Notes the number of each step, and ends the training after some of them on one rank."""

    def __init__(self, last: int | None = None, rank: int = 0) -> None:
        super().__init__()
        self.steps: list[int] = []
        self._last = last if dist.rank() == rank else None

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self.steps.append(batch)
        if self._last is not None and len(self.steps) == self._last:
            self.model.stop_training = True


def plan(folder: Path, **fields: Any) -> Plan:
    """Return 40 samples to train on in 10 steps of 4."""
    small = {"data_option": {"count": 50}, "image_size": (16, 16), "validation_part": 0.2}
    network = {"model_option": {"width": 2, "depth": 1}, "per_rank_batch_size": 4 // dist.size()}
    return Plan(run_dir=folder, **small, **network, **{"epochs": 2, "tensorboard": False} | fields)


@dataclass(frozen=True)
class Noted:
    """What a callback has seen of a run of two epochs in blocks of steps, its history, and what was said."""

    hooks: Hooks
    history: list[Epoch]
    said: str


@pytest.fixture(scope="module")
def noted(tmp_path_factory: pytest.TempPathFactory) -> Noted:
    hooks, folder = Hooks(), tmp_path_factory.mktemp("noted")
    history = train(plan(folder, steps_per_execution=5), callbacks=[hooks])
    return Noted(hooks, history, (folder / "log.txt").read_text())


def test_hooks_come_in_the_order_of_fit(noted: Noted) -> None:
    epochs = [
        [f"epoch {n} begins", "test begins", "test ends", f"epoch {n} ends"] for n in range(2)
    ]
    assert noted.hooks.seen == ["train begins", *epochs[0], *epochs[1], "train ends"]


def test_logs_of_an_epoch_are_those_of_the_history(noted: Noted) -> None:
    assert {"loss", "dice", "val_loss", "val_dice"} == set(noted.hooks.logs[0])
    for logs, epoch in zip(noted.hooks.logs, noted.history, strict=True):
        assert logs == {name: epoch[name] for name in logs}


def test_logs_at_the_end_are_those_of_the_last_epoch(noted: Noted) -> None:
    assert noted.hooks.last_logs == noted.hooks.logs[-1]


def test_a_callback_without_a_hook_of_every_batch_leaves_blocks_alone(noted: Noted) -> None:
    assert "one by one" not in noted.said


@pytest.mark.parametrize("wrong", [[print], keras.callbacks.EarlyStopping(), [Hooks], None])
def test_wrong_callbacks_are_refused_before_anything_is_written(tmp_path: Path, wrong: Any) -> None:
    with pytest.raises(ValueError, match=r"Received: callbacks=.* Expected: a list of keras"):
        train(plan(tmp_path), callbacks=wrong)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "setter",
    [keras.callbacks.ReduceLROnPlateau(), keras.callbacks.LearningRateScheduler(lambda epoch: 0.1)],
)
def test_a_callback_that_sets_the_learning_rate_is_refused(tmp_path: Path, setter: Any) -> None:
    with pytest.raises(ValueError, match=f'{type(setter).__name__}, which .* schedule="plateau"'):
        train(plan(tmp_path), callbacks=[setter])
    assert list(tmp_path.iterdir()) == []


def test_a_hook_of_every_batch_takes_steps_one_by_one(tmp_path: Path) -> None:
    steps = Steps()
    train(plan(tmp_path, steps_per_execution=5), callbacks=[steps])
    assert steps.steps == [*range(10), *range(10)]
    said = (tmp_path / "log.txt").read_text()
    assert "one by one, because Steps has a hook for every batch" in said


def test_a_callback_ends_the_training_as_a_finished_one(tmp_path: Path) -> None:
    stop = keras.callbacks.EarlyStopping("val_loss", patience=1, min_delta=1.0)
    history = train(plan(tmp_path, epochs=9), callbacks=[stop])
    assert len(history) == 2  # the first epoch sets what later ones must improve by 1.0
    assert (tmp_path / "model.keras").exists()
    assert (tmp_path / "checkpoints" / "epoch-0002.h5").exists()
    log = (tmp_path / "log.txt").read_text()
    assert log.count("Training ends early: a callback set model.stop_training.") == 1


def test_a_callback_that_stops_in_the_last_epoch_ends_nothing_early(tmp_path: Path) -> None:
    train(plan(tmp_path, epochs=1), callbacks=[Steps(last=10)])
    assert "ends early" not in (tmp_path / "log.txt").read_text()


def ended_by_rank_1(folder: str) -> tuple[int, int, list[float]]:
    """Train until rank 1 alone ends it in its third step; return what this rank did and reports."""
    steps, hooks = Steps(last=3, rank=1), Hooks()
    history = train(plan(Path(folder), epochs=9), callbacks=[steps, hooks])
    return len(history), len(steps.steps), [hooks.logs[0]["loss"], hooks.logs[0]["val_dice"]]


def test_one_rank_ends_the_training_of_all(tmp_path: Path) -> None:
    first, second = call_ranks(ended_by_rank_1, str(tmp_path / "run"))
    assert first == second
    assert list(first[:2]) == [1, 3]
    log = (tmp_path / "run" / "log.txt").read_text()
    assert log.count("Training ends early: a callback set model.stop_training.") == 1
