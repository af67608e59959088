"""The rules that need no TensorFlow say of losses and metrics what these say themselves."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ddl.training.data.compatibility import check_agreement
from ddl.training.objectives.losses import BOX_LOSSES, LOSSES, build_loss, needs_input
from ddl.training.objectives.metrics import METRICS, WHOLE_METRICS, build_metric
from ddl.training.plan.plan import Plan
from ddl.training.plan.targets import METRICS_OF_VALUES

MODELS = {"unet": (1, 2, 3), "resnet20": (2, 3, 6)}  # with numbers of classes
OPTIONS = {
    "focal": {"alpha": 0.5},
    "nll": {"weight": (1.0, 2.0)},
    "hausdorff_95": {"spacing": (1.0, 1.0, 1.0)},
}
LOSSES_OF_CLASSES = [
    name for name in LOSSES if name not in ("wasserstein", *BOX_LOSSES) and not needs_input(name)
]
METRICS_OF_CLASSES = [name for name in METRICS if name not in (*METRICS_OF_VALUES, *WHOLE_METRICS)]


def refuses(action: Any) -> bool:
    try:
        action()
    except ValueError as error:
        assert "Expected: " in str(error)  # noqa: PT017
        return True
    return False


def cases(table: Any) -> Iterator[tuple[str, dict[str, Any], str, int]]:
    for name, (model, counts) in itertools.product(table, MODELS.items()):
        for options in ({}, OPTIONS[name]) if name in OPTIONS else ({},):
            for classes in counts:
                yield name, options, model, classes


def truth_and_found(model: str, classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Return a batch as a training has it: masks (N, H, W, 1) or labels (N,), and probabilities."""
    places = (4, 4) if model == "unet" else ()
    found = np.full((2, *places, classes), 1 / classes, np.float32)
    truth = np.zeros((2, *places, 1) if places else (2,), np.int32)
    return truth, found


@pytest.mark.filterwarnings("ignore:Received. loss 'batch_dice'")
@pytest.mark.parametrize(("name", "options", "model", "classes"), list(cases(LOSSES_OF_CLASSES)))
def test_a_loss_is_refused_where_it_would_refuse(
    name: str, options: dict[str, Any], model: str, classes: int
) -> None:
    plan = Plan(run_dir=Path("run"), model=model, loss=name, loss_option=options)
    refused = refuses(lambda: check_agreement(plan, (), (4, 4, 3), classes))
    loss = build_loss(name, **options)
    assert refused == refuses(lambda: loss(*truth_and_found(model, classes)))


@pytest.mark.parametrize(("name", "options", "model", "classes"), list(cases(METRICS_OF_CLASSES)))
def test_a_metric_is_refused_where_it_would_refuse(
    name: str, options: dict[str, Any], model: str, classes: int
) -> None:
    names = () if name == "confusion_matrix" else (name,)
    given = {name: options} if options else {}
    plan = Plan(run_dir=Path("run"), model=model, metric=names, metric_option=given)
    refused = refuses(lambda: check_agreement(plan, (name,), (4, 4, 3), classes))
    metric = build_metric(name, **options)
    truth, found = truth_and_found(model, classes)
    assert refused == refuses(lambda: metric.update_state(truth, found))


def test_a_critics_loss_needs_values_as_targets() -> None:
    for model in MODELS:
        with pytest.raises(ValueError, match=r"loss=wasserstein for model .* class numbers"):
            Plan(run_dir=Path("run"), model=model, loss="wasserstein")
    values = {"targets": "values", "metric": ("mae",), "model_option": {"output": "linear"}}
    assert Plan(run_dir=Path("run"), loss="wasserstein", **values).loss == "wasserstein"
    with pytest.raises(
        ValueError, match=r"loss=lovasz for targets that are values. Expected: loss=mse"
    ):
        Plan(run_dir=Path("run"), loss="lovasz", **values)
