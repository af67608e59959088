"""Does the loss fall as it should? Not finite, diverging, rate too high, rate too low."""

from __future__ import annotations

import math
import re
import statistics

from ddl.experiments.diagnosis.finding import CERTAIN, LIKELY, POSSIBLE, Finding
from ddl.experiments.diagnosis.remedies import advise, higher_rate, lower_rate, usual_rate
from ddl.experiments.diagnosis.series import amplitude, falling_share, median, tail, turns
from ddl.experiments.diagnosis.view import View

DIVERGED_STATUS = 4
GROWN = 2.0
"""A loss that ends above this many times its first epoch diverges; twice, because noise seldom doubles a mean."""
REBOUND, LOST = 3.0, 0.1
"""So does one that has risen to this many times its minimum, by this part of all that it had fallen."""
TURNS, AMPLITUDE = 0.6, 0.2
"""A sawtooth: this share of neighbouring steps has opposite signs, and the median step is this share of the loss."""
RATIO_HIGH, RATIO_LOW = 1e-1, 1e-5
"""Update over weight, median of the layers. 1e-3 is usual; above 0.1 weights are new every ten steps."""
FAR_FROM_USUAL = 30.0
"""A rate that is so many times the optimizer's usual one, or a part of it, is one cause that explains a loss."""
LITTLE = 0.2
"""A loss has hardly fallen if its best epoch is less than this share below the first."""
SOLVED = 1 / 3
"""A loss that has fallen to this share of its first epoch may stay there: that is no plateau to leave."""
_NOT_FINITE_LINE = re.compile(r"became NaN or infinite.*?(?:epoch (\d+))?")
_EPOCH = re.compile(r"epoch (\d+)")


def not_finite(view: View) -> Finding | None:
    """Find a loss that became NaN or infinite: in the history, by the exit status, or by the log's last lines."""
    for name in (view.loss_name, view.held_out_name):
        for epoch, value in view.series(name).items():
            if not math.isfinite(value):
                return _not_finite(view, epoch, f"{name} is {value} in epoch {epoch}.")
    lines = [line for line in view.facts.get("log") or [] if _NOT_FINITE_LINE.search(line)]
    if lines or view.facts.get("status") == DIVERGED_STATUS:
        found = _EPOCH.search(lines[-1]) if lines else None
        epoch = int(found[1]) if found else len(view.rows) + 1
        return _not_finite(view, epoch, f"The loss became NaN or infinite in epoch {epoch}.")
    return None


def _not_finite(view: View, epoch: int, text: str) -> Finding:
    clip = "--optimizer-option global_clipnorm=1"
    rate = view.rate
    is_high = rate is not None and view.is_ours and rate > 3 * usual_rate(view.optimizer)
    remedy = lower_rate(view) if is_high or not view.is_ours else clip
    numbers = {} if rate is None else {"learning_rate": rate}
    return Finding("loss not finite", epoch, CERTAIN, text, remedy, numbers)


def diverging(view: View) -> Finding | None:
    """Find a loss that has grown: above twice its first epoch, or back from its minimum to where it began."""
    loss = view.loss
    if len(loss) < 3 or not all(math.isfinite(v) and v > 0 for v in loss):
        return None
    first, least, last = loss[0], min(loss), tail(loss, 2)
    grown = last > GROWN * first
    lost = last - least > LOST * (first - least)
    rebound = last > REBOUND * least and lost and min(loss[-2:]) > 2 * least
    if not (grown or rebound):
        return None
    at = view.epochs[loss.index(least)]
    return Finding(
        "diverging",
        at,
        LIKELY,
        f"The loss rises: {least:.3g} in epoch {at}, {last:.3g} at the end; it began at {first:.3g}.",
        lower_rate(view),
        {"first": first, "least": least, "last": last},
    )


def rate_too_high(view: View) -> Finding | None:
    """Find updates that are too large for the weights, a loss that jumps up and down, or a rate far above usual."""
    loss = view.loss
    ratios = view.ratios()
    numbers: dict[str, float] = {}
    reasons = []
    if len(ratios) > 1 and median(ratios) > RATIO_HIGH:
        numbers["update_ratio"] = median(ratios)
        reasons.append(f"an update changes weights by {median(ratios):.0%} of their length")
    settled = loss[1:]  # the first epoch falls steeply
    if len(settled) >= 5 and all(math.isfinite(v) and v > 0 for v in loss):
        share, step = turns(settled), amplitude(settled)
        if share > TURNS and step > AMPLITUDE and median(settled) > 0.1 * loss[0]:
            numbers |= {"turns": share, "amplitude": step}
            reasons.append(f"the loss jumps by {step:.0%} from epoch to epoch, up and down")
    rate = view.rate
    if rate is not None and view.is_ours and len(loss) >= 3 and _hardly_falls(loss):
        factor = rate / usual_rate(view.optimizer)
        if factor >= FAR_FROM_USUAL:
            numbers |= {"learning_rate": rate}
            usual = f"{factor:.0f} times the usual one of {view.optimizer}"
            reasons.append(f"the rate is {usual}, and the loss hardly falls")
    if not reasons:
        return None
    sure = LIKELY if len(reasons) > 1 or "update_ratio" in numbers else POSSIBLE
    text = f"The learning rate is too high: {'; '.join(reasons)}."
    since = view.epochs[0] if view.epochs else None
    return Finding("rate too high", since, sure, text, lower_rate(view), numbers)


def rate_too_low(view: View) -> Finding | None:
    """Find updates too small to matter, or a rate far below usual, while the loss hardly falls."""
    loss = [value for value in view.loss if math.isfinite(value)]
    if len(loss) < 3 or not _hardly_falls(loss) or loss[-1] > 1.05 * loss[0]:
        return None
    ratios, rate = view.ratios(), view.rate
    numbers = {"first": loss[0], "last": loss[-1]}
    fallen = f"the loss went from {loss[0]:.4g} to {loss[-1]:.4g} in {len(loss)} epochs"
    if ratios and median(ratios) < RATIO_LOW:
        numbers["update_ratio"] = median(ratios)
        text = f"An update changes weights by {median(ratios):.1g} of their length; {fallen}."
        return Finding("rate too low", view.epochs[0], LIKELY, text, higher_rate(view), numbers)
    factor = None if rate is None else usual_rate(view.optimizer) / rate if rate else math.inf
    if (
        view.is_ours
        and factor is not None
        and factor >= FAR_FROM_USUAL
        and not view.plan.get("init_weights")
    ):
        numbers["learning_rate"] = rate or 0.0
        text = f"The rate is {factor:.0f} times lower than the usual one of {view.optimizer}, and {fallen}."
        return Finding("rate too low", view.epochs[0], LIKELY, text, higher_rate(view), numbers)
    is_steady = len(loss) >= 8 and falling_share(loss) >= 0.9 and loss[-1] > 0.95 * loss[0]
    if is_steady and not ratios and (rate is None or not view.is_ours):
        text = f"The loss falls in nearly every epoch, but hardly: {fallen}."
        return Finding("rate too low", view.epochs[0], POSSIBLE, text, higher_rate(view), numbers)
    return None


def plateau(view: View) -> Finding | None:
    """Find a loss that has not improved for long, far from solved, with an undiminished rate."""
    held_out = list(view.held_out.values())
    values = held_out if len(held_out) >= 5 else view.loss
    window = max(10, -(-len(values) // 5))
    if len(values) < window + 3 or not all(map(math.isfinite, [*values, *view.loss])):
        return None
    first, best = values[0], min(values)
    before, recent = (median(part) for part in (values[-2 * window : -window], values[-window:]))
    trained = view.loss
    earlier = median(trained[-window - 3 : -window])
    still_falls = len(trained) > window and tail(trained) < 0.95 * earlier
    is_solved = best < SOLVED * abs(first) or any(
        max([*train.values(), *held.values()], default=0) > 0.97
        for train, held in view.shares.values()
    )
    noise = statistics.pstdev(
        values[-window:]
    )  # of a steady fall a third of what is compared with it
    if (
        before - recent > max(0.01 * abs(before), noise)
        or still_falls
        or is_solved
        or _rate_has_decayed(view)
    ):
        return None
    names = list(view.held_out) if values is held_out else view.epochs
    since = names[-window]
    text = (
        f"Since epoch {since} the loss stays at {recent:.3g} (median), where it was {before:.3g} before, and the "
        f"training loss at {tail(trained):.3g}."
    )
    remedy = advise(
        view, "--plateau patience=5", "Lower the rate on a plateau, or take a larger network."
    )
    numbers = {"before": before, "recent": recent, "epochs": window}
    return Finding("plateau", since, LIKELY, text, remedy, numbers)


def _hardly_falls(loss: list[float]) -> bool:
    return min(loss) > (1 - LITTLE) * loss[0] if loss[0] > 0 else False


def _rate_has_decayed(view: View) -> bool:
    rates = list(view.series("learning_rate").values()) or list(view.series("lr").values())
    return bool(rates) and rates[-1] < 0.1 * max(rates)
