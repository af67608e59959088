"""Does what is learned hold for other samples? Overfitting, a trivial answer, a validation that is odd."""

from __future__ import annotations

import math

from ddl.experiments.diagnosis.finding import LIKELY, POSSIBLE, Finding
from ddl.experiments.diagnosis.remedies import advise
from ddl.experiments.diagnosis.series import median, tail
from ddl.experiments.diagnosis.view import OVERLAPS, Series, View

RISE = 1.1
"""Validation loss over its minimum: 10% more, for as many epochs as `LASTS`."""
LASTS = 5
GAP, LEARNED = 0.2, 0.9
"""A metric that is so much better in training than in validation, where training has learned its samples so well."""
BETTER = 0.8
"""A validation loss below this share of the next epoch's training loss is odd: those weights are the better ones."""
NOTHING_FOUND = 0.02
"""An overlap below it: nothing is found, or everything is taken for the rare object."""
SAME = 1e-6
MUCH_DROPOUT = 0.6
"""Networks are published with a dropout of up to 0.5, which makes training harder than validation."""
PERFECT = 0.97
"""A metric that cannot become much better may stay where it is."""
STUCK, ODD = "stuck at the trivial answer", "validation odd"
_HARDER = ("mix", "augment", "class_weight")
"""Fields of a plan that make the training loss larger than that of the same samples in validation."""


def overfitting(view: View) -> Finding | None:
    """Find a validation that becomes worse while training becomes better."""
    held_out = view.held_out
    if len(held_out) < LASTS + 1 or not all(map(math.isfinite, [*held_out.values(), *view.loss])):
        return None
    return _rising_loss(view, held_out) or _gap(view)


def _rising_loss(view: View, held_out: Series) -> Finding | None:
    values, epochs, trained = list(held_out.values()), list(held_out), view.loss
    place = values.index(min(values))
    least, last = values[place], tail(values)
    falls = len(trained) > place and tail(trained) < min(trained[: place + 1]) * 0.95
    has_lasted = len(values) - 1 - place >= LASTS
    rises = last > RISE * least and last - least > 0.03 * abs(values[0])
    if not (has_lasted and rises and falls and last > 1.2 * tail(trained)):
        return None
    text = (
        f"The validation loss was {least:.3g} in epoch {epochs[place]} and is {last:.3g} now, while the training loss "
        f"fell to {tail(trained):.3g}."
    )
    numbers = {"least": least, "last": last, "training": tail(trained)}
    return Finding("overfitting", epochs[place], LIKELY, text, _stop_early(view), numbers)


def _gap(view: View) -> Finding | None:
    for name, (train, held) in view.shares.items():
        if len(held) <= LASTS or not train:
            continue
        own, other = tail(list(train.values())), tail(list(held.values()))
        best = max(held, key=lambda epoch: held[epoch])
        if own > LEARNED and own - other > GAP and sum(epoch > best for epoch in held) >= LASTS:
            text = f"{name} is {own:.3f} in training and {other:.3f} in validation, whose best epoch was {best}."
            numbers = {"training": own, "validation": other}
            return Finding("overfitting", best, LIKELY, text, _stop_early(view), numbers)
    return None


def _stop_early(view: View) -> str:
    return advise(
        view,
        "--early-stopping-patience 5 --restore-best",
        "Stop at the best epoch, and use more data, augmentation or dropout.",
    )


def stuck(view: View) -> Finding | None:
    """Find a model that gives the same answer to everything: nothing, one class, or equal scores of all classes."""
    return _finds_nothing(view) or _constant(view)


def _finds_nothing(view: View) -> Finding | None:
    for name, (train, held) in view.shares.items():
        values = list((held or train).values())
        both = values[-3:] + list(train.values())[-3:]
        if name not in OVERLAPS or len(values) < 4 or max(both) > NOTHING_FOUND:
            continue
        if tail(values) > 1.5 * median(values[:3]) > 0:  # it rises
            continue
        since = _since(held or train, -math.inf, NOTHING_FOUND)
        text = f"{name} is {tail(values):.3g}: the model finds nothing that is there."
        remedy = advise(view, "--loss dice", "Use a loss or weights that count rare classes more.")
        numbers = {name: tail(values)}
        return Finding(STUCK, since, _sure(len(values)), text, remedy, numbers)
    return None


def _constant(view: View) -> Finding | None:
    chance, loss = _chance_loss(view), view.loss
    if len(loss) < 4 or not all(map(math.isfinite, loss)):
        return None
    at_chance = chance is not None and abs(tail(loss) - chance) < 0.05 * chance
    no_fall = min(loss[1:]) > 0.97 * median(
        loss[1:]
    )  # the first epoch may fall to the constant answer
    for name, (train, held) in view.shares.items():
        recent = list((held or train).values())[-4:]
        is_constant = len(recent) == 4 and max(recent) - min(recent) <= SAME
        if not is_constant or not (at_chance or no_fall):
            continue
        last = recent[-1]
        if max(last, tail(list(train.values()))) < PERFECT if train else last < PERFECT:
            since = _since(held or train, last - SAME, last + SAME)
            text = (
                f"{name} is {last:.4g} in epoch after epoch, as of one answer to everything, and the loss stays at "
                f"{tail(loss):.3g}."
            )
            remedy = advise(
                view,
                "--class-weight balanced",
                "Give rare classes more weight; check labels and rate.",
            )
            return Finding(
                STUCK, since, _sure(len(loss)), text, remedy, {name: last, "loss": tail(loss)}
            )
    if not (at_chance and no_fall) or chance is None:
        return None
    classes = view.facts.get("classes")
    text = f"The loss stays at {tail(loss):.4g}; equal scores of all {classes} classes have {chance:.4g}."
    remedy = advise(view, "--normalize channels", "Check labels, inputs and rate.")
    numbers = {"loss": tail(loss), "chance": chance}
    return Finding(STUCK, view.epochs[0], POSSIBLE, text, remedy, numbers)


def validation_odd(view: View) -> Finding | None:
    """Find a validation that is better than training by more than 20%, or that never changes."""
    loss = view.series(view.loss_name)
    finite = all(map(math.isfinite, [*view.held_out.values(), *loss.values()]))
    if len(view.held_out) < 4 or not loss or not finite:
        return None
    return _never_changes(view, list(loss.values())) or _too_good(view, loss)


def _never_changes(view: View, loss: list[float]) -> Finding | None:
    values, epochs = list(view.held_out.values()), list(view.held_out)
    remedy = advise(
        view, "--validation-data PATH", "Look at the validation samples and their targets."
    )
    spread = max(values[-4:]) - min(values[-4:])
    if spread <= SAME * abs(values[-1]) and max(loss[-4:]) - min(loss[-4:]) > 0.01 * abs(loss[0]):
        text = f"The validation loss is {values[-1]:.4g} each time, while training changes."
        return Finding(ODD, epochs[-4], LIKELY, text, remedy, {"validation": values[-1]})
    for name, (train, held) in view.shares.items():
        recent, own = list(held.values()), list(train.values())  # one that has settled is not odd
        is_constant = len(recent) >= 4 and max(recent) - min(recent) <= SAME
        if is_constant and len(own) >= 4 and tail(own) - max(own[0], recent[-1]) > GAP:
            text = (
                f"{name} rose from {own[0]:.3f} to {tail(own):.3f} in training, and is {recent[-1]:.3f} in each "
                "validation."
            )
            numbers = {"training": tail(own), "validation": recent[-1]}
            return Finding(ODD, epochs[0], LIKELY, text, remedy, numbers)
    return None


def _too_good(view: View, loss: Series) -> Finding | None:
    if any(view.plan.get(name) not in (None, "none", {}) for name in _HARDER):
        return None
    # The loss of the next epoch begins with the weights of this validation.
    held_out = view.held_out.items()
    pairs = [(epoch, value, loss[epoch + 1]) for epoch, value in held_out if epoch + 1 in loss]
    least = 0.03 * abs(next(iter(loss.values())))
    odd = [e for e, value, after in pairs[-5:] if value < BETTER * after and after - value > least]
    if len(pairs) < 3 or len(odd) < max(3, len(pairs[-5:]) - 1):
        return None
    _, value, after = pairs[-1]
    options = view.plan.get("model_option")
    drops = options.get("dropout") if isinstance(options, dict) else None
    if (drops and drops < MUCH_DROPOUT) or (not drops and view.facts.get("drops")):
        return None  # usual dropout makes training harder, as it should
    text = f"The validation loss {value:.3g} is better than the training loss that follows it, {after:.3g}"
    text += f"; dropout={drops:g} does that." if drops else ": the two sets are not alike."
    remedy = advise(
        view,
        "--model-option dropout=0.3" if drops else "--validation-data PATH",
        "Compare the two sets of samples; look for dropout.",
    )
    numbers = {"validation": value, "training": after}
    return Finding(ODD, odd[0], POSSIBLE if drops else LIKELY, text, remedy, numbers)


def _sure(epochs: int) -> str:
    return LIKELY if epochs >= 5 else POSSIBLE


def _since(series: Series, low: float, high: float) -> int:
    """Return the epoch from which on all values are between two numbers."""
    since = list(series)[-1]
    for epoch in reversed(series):
        if not low <= series[epoch] <= high:
            break
        since = epoch
    return since


def _chance_loss(view: View) -> float | None:
    """Return the loss of equal scores for all classes; None where classes or loss are not known."""
    classes = view.facts.get("classes")
    is_entropy = "crossentropy" in str(view.plan.get("loss", "")) and "dice" not in str(
        view.plan.get("loss")
    )
    return math.log(classes) if is_entropy and isinstance(classes, int) and classes > 1 else None
