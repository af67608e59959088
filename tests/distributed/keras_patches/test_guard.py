"""What must not train is refused, what starts apart is made equal, what comes apart is named. On two or three ranks."""

from __future__ import annotations

import functools

import pytest

from ddl.distributed.state import model_state
from tests.ranks import call_ranks


@functools.cache
def facts(part: str) -> dict[str, str]:
    found: dict[str, str] = call_ranks(
        "tests.distributed.keras_patches.guard_program:run", part, ranks=3
    )[0]
    return found


@pytest.mark.parametrize(
    ("fact", "expected"),
    [
        ("plain optimizer in fit", "each rank would train its own model"),
        ("plain optimizer in train_on_batch", "each rank would train its own model"),
        ("optimizer replaced after compile", "each rank would train its own model"),
        ("horovod's wrapper in fit", "which never reduces gradients under Keras 3"),
        ("horovod's wrapper wrapped", "Expected: the plain Keras optimizer"),
        ("wrapped twice", "Wrap it once"),
        ("unknown compression", "Expected one of: none, fp16, bf16"),
        ("no optimizer at all", "Expected: a Keras 3 optimizer"),
        ("loss scale outside in a tape loop", "DistributedOptimizer(LossScaleOptimizer(...))"),
        ("loss that is a sum", "Expected: reduction='sum_over_batch_size', the default"),
        ("float8 variable", "float8 training cannot be averaged"),
        ("plain optimizer in a tape loop", "Received: gradients for a plain SGD on 3 ranks"),
        ("different steps", "different steps per epoch (rank 0: 2, rank 1: 4, rank 2: 6)"),
        ("different models", "(5,) float32 on rank 2. Expected: kernel (4,) float32"),
    ],
)
def test_what_cannot_work_is_refused(fact: str, expected: str) -> None:
    assert expected.replace("(5,)", "(4, 5)").replace("(4,)", "(4, 3)") in facts("refusals")[fact]


@pytest.mark.parametrize(
    ("part", "fact"),
    [
        ("start_equal", "a model that reduces itself may keep its optimizer"),
        ("start_equal", "an optimizer that its loop reduces for may be a plain one"),
        ("start_equal", "a copy made from the config reduces too"),
        ("metrics", "evaluate does so in eager mode, with uneven steps"),
        ("start_equal", "ranks start from rank 0's weights without a callback"),
        ("start_equal", "a state loaded on rank 1 alone reaches all"),
        ("start_equal", "dropout differs between ranks and resumes"),
        ("metrics", "evaluate gives the value over all samples"),
        ("metrics", "metrics with other aggregations"),
        ("statistics", "local statistics are averaged"),
        ("statistics", "local statistics in mid-epoch are no desync"),
        ("metrics", "training goes on after evaluate on its own"),
        ("desync", "equal ranks show no desync"),
    ],
)
def test_what_should_work_works(part: str, fact: str) -> None:
    assert facts(part)[fact] == "yes"


@pytest.mark.parametrize(
    ("fact", "expected"),
    [
        ("disturbed weight", "rank 1 differs from the other ranks in 'model sequential"),
        ("disturbed slot", "rank 2 differs from the other ranks in 'optimizer "),
        ("disturbed learning rate", "rank 0 differs from the other ranks in 'learning rate'"),
        ("disturbed step", "rank 1 differs from the other ranks in 'step'"),
        ("disturbed in fit", "Desync after batch 4: rank 1 differs from the other ranks in"),
    ],
)
def test_a_disturbed_rank_is_named(fact: str, expected: str) -> None:
    assert expected in facts("desync")[fact]


def test_the_description_names_the_minority_and_rank_0_wins_a_tie() -> None:
    names = ["a", "b"]
    assert "rank 1 differs from the other ranks in 'b'" in model_state.describe_desync(
        names, [[1, 5], [1, 6], [1, 5]]
    )
    assert "rank 1 differs" in model_state.describe_desync(names, [[1, 5], [1, 6]])
    assert "rank 0 differs" in model_state.describe_desync(names, [[7, 5], [1, 5], [1, 5]])
    assert "in 'a' (and 1 more differ)" in model_state.describe_desync(names, [[1, 5], [2, 6]])
    assert "rank 1: 1" in model_state.describe_desync(names, [[1, 2], [1]])
