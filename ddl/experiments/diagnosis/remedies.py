"""Remedies: one flag of the training scripts with its value, or advice in words for programs that are not ours."""

from __future__ import annotations

from ddl.experiments.diagnosis.view import View

USUAL_RATES = {"sgd": 1e-2, "torch_sgd": 1e-2}
"""Usual learning rates; of all other optimizers 1e-3."""
_ADAPTIVE_RATE = 1e-3


def usual_rate(optimizer: str) -> float:
    """Return the learning rate that an optimizer is usually begun with."""
    return USUAL_RATES.get(optimizer, _ADAPTIVE_RATE)


def lower_rate(view: View, factor: float = 10.0) -> str:
    """Advise a lower learning rate: a tenth, or the usual one where that is lower still."""
    planned = view.plan.get("learning_rate")
    if not view.is_ours or not isinstance(planned, int | float):
        return f"Divide the learning rate by {factor:g}."
    return f"--learning-rate {min(planned / factor, max(usual_rate(view.optimizer), planned / 1000)):.1g}"


def higher_rate(view: View) -> str:
    """Advise a higher learning rate: the usual one, or ten times as much."""
    planned = view.plan.get("learning_rate")
    if not view.is_ours or not isinstance(planned, int | float):
        return "Multiply the learning rate by 10."
    return f"--learning-rate {max(planned * 10, usual_rate(view.optimizer)):.1g}"


def advise(view: View, flag: str, words: str) -> str:
    """Return the flag for a run of ours, the words for another program."""
    return flag if view.is_ours else words
