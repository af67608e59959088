"""Settings that contradict a loss of input and output, or an optimizer over all samples, are refused in one line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ddl.training.plan.plan import Plan
from ddl.training.plan.plan_flags import plan_from_flags

EQUATION: dict[str, Any] = {"loss": "poisson_2d", "data": "diffusion-maps", "metric": ()}
HESSIAN: dict[str, Any] = {"optimizer": "hessian", "model_option": {"norm": "none"}}


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"metric": ("dice",)}, "metric=dice with loss=poisson_2d.*no metric"),
        ({"normalize": "channels"}, "normalize=channels with loss=poisson_2d"),
        ({"class_weight": "0=1,1=2"}, "class_weight=.* with loss=poisson_2d"),
        ({"mixed_precision": "bfloat16"}, "mixed_precision=bfloat16 with loss=poisson_2d"),
        ({"loss": "burgers", "loss_option": {"diffusion_coeff": -1.0}}, "diffusion_coeff=-1"),
    ],
)
def test_an_equation_refuses(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Plan(run_dir=Path("run"), **EQUATION | fields)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"augment": {"flip": True}}, "augment with optimizer=hessian"),
        ({"mixed_precision": "float16"}, "mixed_precision=float16 with optimizer=hessian"),
        ({"learning_rate": 0.1}, "learning_rate=0.1 with optimizer=hessian"),
        ({"schedule": "cosine"}, "schedule=cosine with optimizer=hessian"),
        ({"plateau": {"patience": 2}}, "plateau with optimizer=hessian"),
        ({"compression": "bf16"}, "compression=bf16 with optimizer=hessian"),
        ({"steps_per_epoch": 2}, "steps_per_epoch=2 with optimizer=hessian"),
        ({"steps_per_execution": 2}, "steps_per_execution=2 with optimizer=hessian"),
        ({"profile": 2}, "profile=2 with optimizer=hessian"),
        ({"jit": "true"}, "jit=true with optimizer=hessian"),
        ({"loss": "batch_dice"}, "loss=batch_dice with optimizer=hessian"),
        ({"optimizer_option": {"method": "bfgs"}}, "method='bfgs'.*newton-cg, l-bfgs"),
        ({"optimizer_option": {"max_iterations": 0}}, "max_iterations=0"),
        ({"optimizer_option": {"clipnorm": 1.0}}, "'clipnorm'"),
    ],
)
def test_an_optimizer_over_all_samples_refuses(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Plan(run_dir=Path("run"), **HESSIAN | fields)


def test_an_equation_has_no_metric_by_default() -> None:
    defaults = {"model": "unet", "loss": "dice_crossentropy", "metric": ("dice",)}
    flags = {"run_dir": Path("run"), "loss": "burgers", "data": "burgers"}
    plan = plan_from_flags(flags, defaults)
    assert plan.metric == ()
    assert plan.predicts == "values"
