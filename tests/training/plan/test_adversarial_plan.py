"""The plan of a GAN: what it implies, what it refuses, and its flags."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ddl.training.plan.plan import Plan
from ddl.training.plan.plan_flags import command_line, plan_from_flags, plan_to_flags
from scripts.train_gan import DEFAULTS, build_parser

RUN = {"run_dir": Path("runs/gan"), "data": "digits", "gan_loss": "wgan_gp"}


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"conditional": True, "global_batch_size": 64, "monitor": "val_fid"},
        {"gan_loss": "wgan", "clip": 0.05, "critic_steps": 5, "generator_option": {"width": 8}},
        {"learning_rate": 3e-4, "epochs": 20, "optimizer_option": {"beta_1": 0.5}},
    ],
)
def test_its_flags_give_the_same_plan(fields: dict[str, Any]) -> None:
    plan = Plan(**{**RUN, **fields})
    arguments = vars(build_parser().parse_args(plan_to_flags(plan)))
    arguments.pop("dry_run")
    assert plan_from_flags(arguments, DEFAULTS) == plan
    assert "python scripts/train_gan.py" in command_line(plan)


def test_a_conditional_one_reads_labels_and_others_read_pictures_alone() -> None:
    assert Plan(**RUN, conditional=True).predicts == "label"
    assert Plan(**RUN).predicts == "values"


def test_the_kernel_distance_decides_which_epoch_is_best() -> None:
    plan = Plan(**RUN)
    assert (plan.monitor, plan.mode) == ("val_kid", "min")
    assert Plan(**RUN, monitor="val_diversity").mode == "max"
    assert Plan(**RUN, validation_part=0.0).monitor == "loss"


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"parallel": "local"}, "parallel=local for a GAN. Expected: sync"),
        ({"mixed_precision": "bfloat16"}, "mixed_precision=bfloat16"),
        ({"normalize": "channels"}, "normalize=channels"),
        ({"evaluate": True, "test_data": "x"}, "evaluate"),
        ({"optimizer": "hessian"}, "hessian"),
        ({"jit": "true"}, "jit=true"),
        ({"gradient_norm": True}, "gradient_norm"),
        ({"epoch_log": Path("out")}, "epoch_log=out"),
        ({"generator": "dcgam"}, "Did you mean"),
        ({"generator_option": {"depth": 3}}, "depth"),
        ({"discriminator_option": {"norm": "sync"}}, "norm"),
        ({"generator_average": 1.0}, "generator_average"),
        ({"monitor": "val_top_1"}, "monitor"),
    ],
)
def test_what_a_gan_does_not_have_is_refused(fields: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Plan(**{**RUN, **fields})


def test_scores_are_only_monitored_by_a_gan() -> None:
    with pytest.raises(ValueError, match="val_kid"):
        Plan(run_dir=Path("x"), monitor="val_kid")
