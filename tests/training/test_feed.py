"""What feeds a model stays the same size however many epochs there are, and has TensorFlow get ready once."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import keras
import numpy as np
import pytest

import ddl.distributed as dist
from ddl.data.order import Position, SampleOrder
from ddl.data.samples import ArraySamples
from ddl.training.data import TrainingData
from ddl.training.epochs import Feed


def test_batches_are_looked_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Any] = []

    def validation(self: Feed) -> Any:
        made.append(SimpleNamespace(dataset=SimpleNamespace(element_spec="spec")))
        return made[-1]

    monkeypatch.setattr(Feed, "_validation", validation)
    monkeypatch.setattr(Feed, "_for_outputs", lambda self, dataset: dataset)
    feed = object.__new__(Feed)
    assert [feed.batch_spec for _ in range(3)] == ["spec"] * 3
    assert len(made) == 1  # TensorFlow keeps every function that a dataset has


@pytest.mark.parametrize("name", ["Adam", "ScheduleFreeAdamW"])
def test_a_step_is_traced_once(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    traced: list[str] = []

    class Counting(keras.Model):
        def train_step(self, data: Any) -> Any:
            traced.append("train")
            return super().train_step(data)

    for asked, value in (("rank", 0), ("size", 1), ("local_size", 1)):
        monkeypatch.setattr(dist, asked, lambda value=value: value)
    samples = ArraySamples(np.ones((9, 4), np.float32), np.ones((9, 1), np.float32))
    plan = SimpleNamespace(per_rank_batch_size=2, data_threads=1, augmentation=lambda: None)
    order = SampleOrder("global", len(samples), 2, 1, 0)
    run: Any = SimpleNamespace(plan=plan, order=order, position=Position())
    inputs = keras.Input((4,))
    model = Counting(inputs, keras.layers.Dense(1)(inputs))
    model.compile(getattr(keras.optimizers, name)(1e-6), "mse", metrics=["mae"])
    begun = model.get_weights()[0]
    Feed(model, run, TrainingData(samples, samples, 1)).fit(0, 2, order.steps_per_epoch, [])
    assert traced == ["train"]  # twice where the first trace makes slots or metrics
    # Made within the step, Keras 3.15's ScheduleFreeAdamW starts from weights that are still zero.
    np.testing.assert_allclose(model.get_weights()[0], begun, atol=1e-3)
    assert int(model.optimizer.iterations) == 2 * order.steps_per_epoch
