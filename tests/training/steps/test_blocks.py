"""Steps taken together: the same bits as one by one, and nothing past the end of an epoch."""

from __future__ import annotations

import functools
import json
from itertools import islice
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ddl.data.order import Position, SampleOrder
from ddl.training.consensus import Consensus
from ddl.training.steps.blocks import block_size
from ddl.training.stop_request import StopRequest
from tests.ranks import call_ranks
from tests.ranks.scripts import run_script
from tests.training.steps.small_steps import EndsUnevenly, make_steps

STEPS = 7
QUESTIONS = "tests.training.steps.small_steps:questions"


@given(st.floats(1e-7, 100), st.integers(0, 10**6), st.floats(0, 100))
def test_a_block_ends_soon_and_pays(step_s: float, steps_left: int, trace_s: float) -> None:
    size = block_size(step_s, steps_left, trace_s)
    assert 1 <= size <= 64
    assert size == 1 or (size * step_s < 0.31 and steps_left * 1e-3 >= trace_s)


def test_a_small_model_is_taken_in_blocks_and_a_large_one_is_not() -> None:
    assert block_size(4e-3, 100_000, 2.0) == 63
    assert block_size(0.4, 100_000, 2.0) == 1
    assert block_size(2e-3, 100, 2.0) == 1  # over before it pays


def test_what_was_traced_is_used_to_the_last_step() -> None:
    plan = SimpleNamespace(steps_per_execution=0, epochs=1)
    run: Any = SimpleNamespace(plan=plan, steps_per_epoch=1000, position=Position(0, 990))
    consensus = Consensus(run, StopRequest())
    for size, then in ((63, 63), (1, 1)):
        consensus.block_size = size
        assert consensus._block_size(4e-3, first_step_s=2.0) == then


def trained(
    size: int, spoiled: int | None = None, order: type[SampleOrder] = SampleOrder
) -> tuple[list[np.ndarray], list[tuple[int, list[float]]]]:
    """Train two epochs of 7 steps in blocks; return the weights, and of each block its steps and their losses."""
    import keras

    keras.utils.set_random_seed(1)
    layers = [keras.layers.Dense(8), keras.layers.BatchNormalization(), keras.layers.Dropout(0.3)]
    model = keras.Sequential([keras.Input((4,)), *layers, keras.layers.Dense(1)])
    model.compile("adam", "mse", metrics=["mae"])
    inputs = np.random.default_rng(0).random((STEPS * 5, 4), np.float32)
    if spoiled is not None:
        inputs[
            next(islice(SampleOrder("global", STEPS * 5, 5, 1, 0).epoch(0, 0), spoiled, None))
        ] = np.nan
    steps, run = make_steps(model, inputs, inputs.sum(-1, keepdims=True), 5, order)
    blocks = []
    with steps:
        for epoch in range(2):
            run.position = Position(epoch)
            steps.begin_epoch()
            while run.position.step < STEPS:
                taken = steps.take(size)
                run.advance(taken.count)
                losses = [float(loss) for part in steps._losses for loss in part.numpy().ravel()]
                steps._losses.clear()
                blocks.append((taken.count, losses))
    return model.get_weights(), blocks


one_at_a_time = functools.cache(functools.partial(trained, 1))


@pytest.mark.parametrize("size", [2, 3, 64])
def test_blocks_learn_the_same_bits(size: int) -> None:
    one_by_one, steps = one_at_a_time()
    together, calls = trained(size)
    for left, right in zip(one_by_one, together, strict=True):
        np.testing.assert_array_equal(left, right)
    assert [loss for _, losses in steps for loss in losses] == [
        loss for _, losses in calls for loss in losses
    ]
    full, rest = divmod(STEPS, size)
    assert [taken for taken, _ in calls] == ([size] * full + [rest] * (rest > 0)) * 2


@pytest.mark.parametrize(("size", "taken"), [(1, [1] * 7), (2, [2, 2, 2, 1]), (4, [4, 2, 1])])
def test_a_last_step_of_uneven_parts_is_in_no_block(size: int, taken: list[int]) -> None:
    _, calls = trained(size, order=EndsUnevenly)
    assert [number for number, _ in calls] == taken * 2


def test_the_first_loss_that_is_not_finite_keeps_its_place() -> None:
    _, calls = trained(4, spoiled=5)
    losses = [loss for _, part in calls for loss in part]
    assert [bool(np.isfinite(loss)) for loss in losses[:STEPS]] == [True] * 5 + [False] * 2


def weights(run: Path) -> dict[str, np.ndarray]:
    """Return all arrays of a run's newest checkpoint: weights and the optimizer's."""
    (path,) = (run / "checkpoints").glob("*2.*h5")
    found: dict[str, np.ndarray] = {}
    with h5py.File(path) as file:
        file.visititems(
            lambda name, item: (
                found.update({name: item[()]})
                if isinstance(item, h5py.Dataset) and item.dtype.kind == "f"
                else None
            )
        )
    return found


def test_ranks_do_not_ask_in_blocks_how_many_samples_they_have() -> None:
    assert call_ranks(QUESTIONS, 5) == [0, 0]
    assert min(call_ranks(QUESTIONS, 1)) > 0


def test_two_ranks_learn_the_same_bits_in_blocks(tmp_path: Path) -> None:
    """With 39 samples to train on: 8 a step, and 4 and 3 in the last one."""
    flags = "--data-option count=43 --image-size 16 --model-option width=2 depth=1 --epochs 2"
    flags += " --per-rank-batch-size 4"
    for size in ("1", "3"):
        own = ["--run-dir", tmp_path / size, "--steps-per-execution", size]
        result = run_script("scripts/train_unet", [*own, *flags.split()])
        assert result.returncode == 0, result.output
    single, blocks = weights(tmp_path / "1"), weights(tmp_path / "3")
    assert len(single) > 10
    assert single.keys() == blocks.keys()
    for name, values in single.items():
        np.testing.assert_array_equal(values, blocks[name], err_msg=name)
    one, three = (
        [json.loads(line) for line in (tmp_path / size / "history.jsonl").read_text().splitlines()]
        for size in ("1", "3")
    )
    timed = {"seconds": 0, "samples_per_s": 0}
    for left, right in zip(one, three, strict=True):
        assert left | timed == right | timed
