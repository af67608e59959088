"""What a probe sees inside the layers: gradients that explode or vanish, units that are dead."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from ddl.experiments.diagnosis.finding import LIKELY, POSSIBLE, Finding
from ddl.experiments.diagnosis.remedies import advise, lower_rate, usual_rate
from ddl.experiments.diagnosis.series import halved, median
from ddl.experiments.diagnosis.view import View

JUMP = 100.0
"""A gradient norm of so many times its median over the epochs before explodes."""
GROWTH, SOME_GROWTH = 1e3, 30.0
"""So does one that grows this much from the last layer back to the first, per weight; or by the second number, if it is
longer than `LONG` times the weights, too. Trainings that go well have 0.001 to 20, and up to 0.5."""
LONG, LARGE = 1.0, 1e3
"""And one that is so many times as long as the weights, while the loss hardly falls."""
VANISH = 1e-4
"""It vanishes if so little of it arrives at the first layer, per weight."""
DEAD = 0.6
"""Share of a layer's units that are 0 on all probed samples. Networks that learn well have up to 0.47 on easy data."""
FEW_UNITS = 8
"""In smaller layers a few dead units are a large share."""


def exploding(view: View) -> Finding | None:
    """Find gradients far above what they usually are, or that grow on their way back through the layers."""
    norms = _norms(view)
    remedy = advise(view, "--optimizer-option global_clipnorm=1", "Clip gradients by their norm.")
    before: list[
        float
    ] = []  # as training converges gradients shrink, so a norm is compared with earlier ones
    for epoch, norm in norms:
        if not math.isfinite(norm) or (len(before) >= 3 and norm > JUMP * median(before) > 0):
            usual = median(before)
            text = f"The gradient's norm is {norm:.3g} in epoch {epoch}; its median was {usual:.3g} before."
            return Finding(
                "exploding gradients", epoch, LIKELY, text, remedy, {"norm": norm, "median": usual}
            )
        before.append(norm)
    sizes = [_over_weights(row) for row in view.probe]
    ratios = [ratio for _, ratio in _first_over_last(view)]
    size, ratio = median(sizes) if sizes else 0.0, median(ratios) if ratios else 0.0
    numbers = {"over_weights": size, "first_over_last": ratio}
    epoch = view.probe[0]["epoch"] if view.probe else 1
    if ratio > GROWTH or (ratio > SOME_GROWTH and size > LONG):
        text = (
            f"Gradients grow on their way back: at the first layer they are {ratio:.2g} times those of the last one, "
            "per weight."
        )
        return Finding("exploding gradients", epoch, LIKELY, text, remedy, numbers)
    if size > LARGE and not halved(view.loss):
        text = (
            f"The gradient is {size:.2g} times as long as the weights, and the loss hardly falls."
        )
        return Finding("exploding gradients", epoch, LIKELY, text, remedy, numbers)
    return None


def vanishing(view: View) -> Finding | None:
    """Find gradients of which next to nothing arrives at the first layers."""
    ratios = _first_over_last(view)
    small = [(epoch, ratio) for epoch, ratio in ratios if ratio < VANISH]
    if not small or 2 * len(small) < len(ratios):
        return None
    epoch, ratio = small[0]
    kinds = str(view.plan.get("model_option") or "")
    norm = advise(
        view, "--model-option norm=sync", "Use ReLU, normalization layers or residual connections."
    )
    if "sigmoid" in kinds:
        norm = advise(view, "--model-option activation=relu", norm)
    text = f"The gradient of the first layer is {ratio:.1g} of that of the last one, per weight: it does not learn."
    return Finding("vanishing gradients", epoch, LIKELY, text, norm, {"first_over_last": ratio})


def dead_units(view: View) -> Finding | None:
    """Find a layer of which many units are 0 whatever they are shown."""
    worst: tuple[float, str, Any] = (0.0, "", None)
    for row in view.probe[-2:]:
        for layer in row["layers"]:
            share = layer.get("dead_share")
            if isinstance(share, int | float) and share > worst[0]:
                worst = (float(share), str(layer["name"]), layer)
    share, name, layer = worst
    if (
        share <= DEAD
        or len(view.probe) < 2
        or ((layer.get("units") or FEW_UNITS) < FEW_UNITS and share < 1)
    ):
        return None
    since = _since(view.probe, name)
    rate = view.rate
    kinds = {str(other.get("kind")) for other in view.probe[-1]["layers"]}
    is_fast = view.is_ours and rate is not None and rate > 3 * usual_rate(view.optimizer)
    if is_fast or any("Normalization" in kind for kind in kinds):
        remedy = lower_rate(view)
    else:
        words = "Use a smaller rate, normalization or a leaky ReLU."
        remedy = advise(view, "--model-option norm=sync", words)
    text = f"{share:.0%} of the units of {name} are 0 for all probed samples."
    numbers = {"dead_share": share, **({} if rate is None else {"learning_rate": rate})}
    return Finding("dead units", since, LIKELY if share > 0.6 else POSSIBLE, text, remedy, numbers)


def _since(rows: Sequence[Any], name: str) -> int:
    since = rows[-1]["epoch"]
    for row in reversed(rows):
        shares = [layer.get("dead_share") or 0 for layer in row["layers"] if layer["name"] == name]
        if not shares or shares[0] <= DEAD:
            break
        since = row["epoch"]
    return int(since)


def _norms(view: View) -> list[tuple[int, float]]:
    """Return the gradient's norm by epoch: of the probe, else of the history."""
    if view.probe:
        return [(row["epoch"], float(row.get("gradient_norm", math.nan))) for row in view.probe]
    return list(view.series("gradient_norm").items())


def _first_over_last(view: View) -> list[tuple[int, float]]:
    """Return the gradient per weight of the first layer over that of the last one, by epoch."""
    found = []
    for row in view.probe:
        layers = [layer for layer in view.layers(row) if layer.get("parameters")]
        if len(layers) < 3:
            continue
        first, last = (_per_weight(layer) for layer in (layers[0], layers[-1]))
        if last > 0 and math.isfinite(first) and math.isfinite(last):
            found.append((row["epoch"], first / last))
    return found


def _over_weights(row: Any) -> float:
    """Return the length of the gradient over that of the weights it is of; 0 where there are none."""
    trained = [layer for layer in row["layers"] if layer.get("gradient_norm") is not None]
    weights = math.hypot(*(layer.get("weight_norm") or 0.0 for layer in trained))
    gradient = math.hypot(*(layer["gradient_norm"] for layer in trained))
    return gradient / weights if weights else 0.0


def _per_weight(layer: Any) -> float:
    return float(layer["gradient_norm"]) / math.sqrt(layer["parameters"])
