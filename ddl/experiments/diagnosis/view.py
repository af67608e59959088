"""What the checks look at: the losses and metrics of a run by their usual names, its plan, and its layers. Pure."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping, Sequence
from typing import Any, TypeGuard

from ddl.experiments.diagnosis.series import median

Row = Mapping[str, Any]

_LOSSES = ("loss", "train_loss", "training_loss", "train/loss", "loss/train", "train-loss")
_HELD_OUT_LOSSES = (
    *("val_loss", "valid_loss", "validation_loss", "eval_loss", "test_loss", "dev_loss"),
    *("val/loss", "valid/loss", "validation/loss", "eval/loss", "loss/val"),
)
_PREFIXES = ("val_", "valid_", "validation_", "eval_", "val/", "valid/", "validation/", "eval/")
_SHARES = (
    *("dice", "iou", "f1", "precision", "recall", "accuracy", "acc", "top_1", "top_5", "auc"),
    *("binary_accuracy", "categorical_accuracy", "sparse_categorical_accuracy", "mean_iou"),
)
"""Metrics between 0 and 1 of which more is better."""
OVERLAPS = ("dice", "iou", "f1", "precision", "recall", "mean_iou")
"""Metrics that are 0 for a model that finds nothing."""
_KERNELS = ("Conv", "Dense", "LSTM", "GRU", "Embedding", "Attention")
_LARGEST = 10**300
_RATES = ("learning_rate", "lr")

Series = dict[int, float]


class View:
    """A run as the checks see it.

    Attributes:
        rows: a row an epoch; rows of a program that counts otherwise are counted from 1.
        plan: the fields of its plan, {} of a foreign program.
        facts: all facts.
        probe: rows of its probe.
        resources: samples of the agent.
    """

    def __init__(
        self,
        rows: Sequence[Row],
        probe: Sequence[Row],
        resources: Sequence[Row],
        facts: Mapping[str, Any],
    ) -> None:
        self.rows = _of_epochs(rows)
        self.probe, self.resources, self.facts = list(probe), list(resources), facts
        plan = facts.get("plan")
        self.plan: Mapping[str, Any] = plan if isinstance(plan, Mapping) else {}

    @property
    def is_ours(self) -> bool:
        """Whether a training script of this package made the run, so that remedies are its flags."""
        return bool(self.plan)

    @functools.cached_property
    def loss_name(self) -> str:
        """The name of the training loss, "" without one."""
        return self._first(_LOSSES)

    @functools.cached_property
    def loss(self) -> list[float]:
        """The training loss, epoch by epoch, where there is one."""
        return list(self.series(self.loss_name).values())

    @functools.cached_property
    def held_out_name(self) -> str:
        """The name of the validation loss, "" without one."""
        return self._first(_HELD_OUT_LOSSES)

    @functools.cached_property
    def held_out(self) -> Series:
        """The validation loss by epoch."""
        return self.series(self.held_out_name)

    def series(self, name: str) -> Series:
        """Return a quantity by epoch; epochs without it are left out."""
        return {
            epoch: float(row[name])
            for epoch, row in self.rows.items()
            if name and _is_number(row.get(name))
        }

    @functools.cached_property
    def shares(self) -> dict[str, tuple[Series, Series]]:
        """Metrics between 0 and 1 of which more is better: name -> (training, validation) by epoch."""
        names = dict.fromkeys(name for row in self.rows.values() for name in row)
        found = {}
        for name in names:
            plain = next((name[len(p) :] for p in _PREFIXES if name.startswith(p)), name)
            if plain.removeprefix("train_").lower() not in _SHARES or plain in found:
                continue
            held = next((self.series(p + plain) for p in _PREFIXES if p + plain in names), {})
            pair = self.series(plain) or self.series(f"train_{plain}"), held
            if all(0 <= value <= 1 for part in pair for value in part.values()):
                found[plain] = pair
        return found

    @functools.cached_property
    def epochs(self) -> list[int]:
        """The epochs that have a training loss."""
        return list(self.series(self.loss_name))

    @property
    def rate(self) -> float | None:
        """The highest learning rate of the run; None where nothing tells it."""
        rates = [v for name in _RATES for v in self.series(name).values() if math.isfinite(v)]
        planned = self.plan.get("learning_rate")
        return max(rates) if rates else float(planned) if _is_number(planned) else None

    @property
    def optimizer(self) -> str:
        """The optimizer's name, "" where nothing tells it."""
        return str(self.plan.get("optimizer") or "")

    def layers(self, row: Row) -> list[Row]:
        """Return the layers of a probe's row that have kernels and are trained, from input to output."""
        return [
            layer
            for layer in row["layers"]
            if any(part in str(layer.get("kind")) for part in _KERNELS)
            and layer.get("gradient_norm") is not None
        ]

    def ratios(self) -> list[float]:
        """Return the median update ratio of the layers with kernels, probe by probe, while the rate is not decayed."""
        rates = [row.get("learning_rate") for row in self.probe]
        known = [rate for rate in rates if _is_number(rate)]
        highest = max(known, default=0.0)
        found = []
        for row, rate in zip(self.probe, rates, strict=True):
            if _is_number(rate) and rate < 0.3 * highest:
                continue
            each = [layer.get("update_ratio") for layer in self.layers(row)]
            numbers = [float(ratio) for ratio in each if _is_number(ratio) and math.isfinite(ratio)]
            if numbers:
                found.append(median(numbers))
        return found

    def _first(self, names: Sequence[str]) -> str:
        known = {name for row in self.rows.values() for name in row}
        lower = {name.lower(): name for name in sorted(known)}
        return next((lower[name] for name in names if name in lower), "")


def _of_epochs(rows: Sequence[Row]) -> dict[int, Row]:
    """Return the rows by epoch; where none has an epoch, by their number from 1."""
    having = {
        int(row["epoch"]): row
        for row in rows
        if _is_number(row.get("epoch")) and math.isfinite(row["epoch"])
    }
    return dict(sorted(having.items())) if having else dict(enumerate(rows, 1))


def _is_number(value: Any) -> TypeGuard[float]:
    """Return whether a value of a history is a number; whole numbers that no float can hold are none."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and not (isinstance(value, int) and abs(value) > _LARGEST)
