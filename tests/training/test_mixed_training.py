"""Training on mixed samples: the same on any number of ranks, bit for bit after a resume, and with any loss."""

from __future__ import annotations

import dataclasses
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ddl.training.plan.plan import Plan
from tests.ranks import call_ranks

COUNT, CLASSES = 45, 4
PLAN: dict[str, Any] = {
    "model": "cnn",
    "loss": "categorical_crossentropy",
    "loss_option": {"label_smoothing": 0.1},
    "metric": ("top_1", "precision"),
    "optimizer": "sgd",
    "learning_rate": 0.05,
    "learning_rate_scaling": "none",
    "epochs": 3,
    "validation_part": 0.2,
    "augment": {"pad_crop": 2, "flip_horizontal": 0.5, "erase": 0.5},
    "mix": {"mixup": 0.4, "cutmix": 1.0, "off_epochs": 1},
    "tensorboard": False,
}


def write_data(path: Path) -> None:
    """Write pictures whose brightest corner is their class."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, CLASSES, COUNT)
    pictures = rng.random((COUNT, 16, 16, 3)) * 0.5
    for picture, label in zip(pictures, labels, strict=True):
        rows, columns = label // 2 * 8, label % 2 * 8
        picture[rows : rows + 8, columns : columns + 8] += 0.4
    np.savez(path, images=(pictures * 255).astype(np.uint8), labels=labels)


def weights_of_run(folder: Path, per_rank_batch_size: int, stops: bool, threads: int) -> Any:
    """Train on every rank, perhaps with a stop and a resume in the second epoch. Return history and weights."""
    import keras

    import ddl.distributed as dist
    from ddl.training.loop import train
    from ddl.training.stops import Interrupted

    class Stop(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
            self.epoch = epoch

        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            if (self.epoch, batch) == (1, 2) and dist.is_root():
                signal.raise_signal(signal.SIGUSR1)

    plan = Plan(
        run_dir=folder / f"run-{dist.size()}-{stops}-{threads}",
        data=str(folder / "data.npz"),
        per_rank_batch_size=per_rank_batch_size,
        data_threads=threads,
        **PLAN,
    )
    if stops:
        try:
            train(plan, callbacks=[Stop()])
        except Interrupted:
            plan = dataclasses.replace(plan, resume="auto")
        else:
            raise AssertionError("It was not interrupted.")
    history = train(plan)
    losses = [[epoch[name] for name in ("loss", "top_1", "val_loss")] for epoch in history]
    dist.barrier()  # rank 0 writes the model
    model = keras.models.load_model(plan.run_dir / "model.keras", compile=False)
    return [np.array(losses), *model.get_weights()]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("mixed")
    write_data(path / "data.npz")
    return path


@pytest.fixture(scope="module")
def reference(folder: Path) -> list[np.ndarray]:
    """Return the results of two ranks that were never stopped."""
    results: list[np.ndarray] = call_ranks(weights_of_run, folder, 4, False, 1)[0]
    return results


def test_one_rank_trains_as_two(folder: Path, reference: list[np.ndarray]) -> None:
    (alone,) = call_ranks(weights_of_run, folder, 8, False, 1, ranks=1, launcher="none")
    check_close(alone, reference)


def test_a_resume_within_an_epoch_and_four_threads_change_no_bit(
    folder: Path, reference: list[np.ndarray]
) -> None:
    stopped = call_ranks(weights_of_run, folder, 4, True, 4)[0]
    assert all(np.array_equal(a, b) for a, b in zip(stopped, reference, strict=True))


@pytest.mark.proof
def test_four_ranks_train_as_two(folder: Path, reference: list[np.ndarray]) -> None:
    check_close(call_ranks(weights_of_run, folder, 2, False, 1, ranks=4)[0], reference)


def check_close(results: list[np.ndarray], reference: list[np.ndarray]) -> None:
    for mine, theirs in zip(results, reference, strict=True):
        assert np.abs(mine - theirs).max() <= 1e-4 * max(np.abs(theirs).max(), 1)
