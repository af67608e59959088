"""All spellings of a flag are the same flag, and a command belongs to one generation."""

from __future__ import annotations

from typing import Any

import pytest

from ddl.config.pydtnn.flag import ONE, SEED, THREE
from ddl.config.pydtnn.settings import Settings
from ddl.config.pydtnn.spelling import settings_of
from ddl.config.pydtnn.table import FLAGS


def read(command: str, generation: str | None = None) -> Settings:
    return settings_of(command.split(), FLAGS, generation)


@pytest.mark.parametrize(
    ("command", "generation", "given"),
    [
        ("--batch_size=32", SEED, {"batch_size": 32}),
        ("--batch_size 32", SEED, {"batch_size": 32}),
        ("--batch_s=32", SEED, {"batch_size": 32}),
        ("--batch-size=32", THREE, {"batch_size": 32}),
        ("--batch-s 32", THREE, {"batch_size": 32}),
        ("--evaluate", SEED, {"evaluate": True}),
        ("--evaluate=True --shared_storage=1", ONE, {"evaluate": True, "shared_storage": True}),
        ("--evaluate no --nesterov=False", ONE, {"evaluate": False, "nesterov": False}),
        ("--no-evaluate", THREE, {"evaluate": False}),
        ("--no-eval", THREE, None),
        ("--no-evaluate --optimizer-mom=0.5", THREE, {"evaluate": False, "momentum": 0.5}),
        ("--evaluate --model vgg11", SEED, {"evaluate": True, "model": "vgg11"}),
        ("--learning_rate=1e-3 --profile", SEED, {"learning_rate": 1e-3, "profile": True}),
        ("--class-weights=1,2.5", THREE, {"class_weights": (1.0, 2.5)}),
        ("--lr-schedulers=warm_up", ONE, {"lr_schedulers": ("warm_up",)}),
        ("", SEED, {}),
    ],
)
def test_a_spelling_is_read(command: str, generation: str, given: dict[str, Any] | None) -> None:
    if given is None:  # the beginning of --no-evaluate and of --no-evaluate-only
        with pytest.raises(
            ValueError, match="the beginning of --no-evaluate and --no-evaluate-only"
        ):
            read(command)
        return
    settings = read(command)
    assert (settings.generation, settings.given) == (generation, given)


def test_a_beginning_may_be_one_flag_in_an_early_generation_alone() -> None:
    assert read("--mod=vgg11").generation == SEED
    with pytest.raises(ValueError, match="the beginning of --model and --model_checkpoint_metric"):
        read("--mod=vgg11", ONE)


def test_the_earliest_generation_that_has_all_flags_is_taken() -> None:
    assert read("--model=simplecnn --momentum=0.5").generation == SEED
    assert read("--model=simplecnn --nesterov").generation == ONE
    assert read("--model=simplecnn --quantize").generation == THREE
    assert read("--model=simplecnn", THREE).generation == THREE


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("--batchsize=3", "unknown flag --batchsize.*Did you mean --batch_size"),
        ("--early=1", "the beginning of --early"),
        ("--lr_schedulers=warm_up --random-seed=1", "flags that no generation has together"),
        ("--batch_size=many", "--batch_size=many. Expected: a whole number"),
        ("--learning_rate=fast", "--learning_rate=fast. Expected: a number"),
        ("--evaluate=perhaps", "--evaluate=perhaps. Expected: true or false"),
        ("--model", "--model without a value. Expected: --model=VALUE"),
        ("vgg11", "argument 'vgg11'. Expected: flags"),
        ("--model=a b", "argument 'b'. Expected: flags"),
        ("--momentum=1 --mom=2", "--mom twice"),
    ],
)
def test_what_cannot_be_read_is_refused(command: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read(command)


def test_a_flag_of_another_generation_than_the_asked_one_is_unknown() -> None:
    with pytest.raises(ValueError, match="unknown flag --quantize"):
        read("--quantize", ONE)
