"""Asks optuna which settings to try next, from what became of the earlier trials.

Nothing is kept between two questions: the study is rebuilt from our own files each time, so no torn journal, and no
trial that waits for ever, can harm it. The same trials give the same answer.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from ddl.experiments.spec.identity import canonical
from ddl.experiments.spec.parameter.draws import Draw, as_drawn

_TRIES = 50


@dataclass(frozen=True, kw_only=True)
class Told:
    """An earlier trial.

    Attributes:
        parameters: Its parameters.
        value: The goal's best value, None without one.
        ended: Whether it has ended.
    """

    parameters: Mapping[str, Any]
    value: float | None
    ended: bool


def ask(
    draws: Mapping[str, Draw], told: Sequence[Told], count: int, *, largest: bool, seed: int
) -> list[dict[str, Any]]:
    """Return up to `count` settings to try next, none of which was tried before.

    Args:
        draws: the searched parameters.
        told: all earlier trials.
        count: how many are wanted.
        largest: whether the goal is the largest value.
        seed: seed of the spec.

    Raises:
        ValueError: optuna is not installed.
    """
    optuna = _optuna()
    usable = [trial for trial in told if _fits(draws, trial)]
    tried = {canonical({name: trial.parameters[name] for name in draws}) for trial in usable}
    found: list[dict[str, Any]] = []
    for attempt in range(_TRIES):
        if len(found) == count:
            break
        asked = [Told(parameters=setting, value=None, ended=False) for setting in found]
        sampler = optuna.samplers.TPESampler(
            seed=(seed + 1000 * (len(told) + len(found)) + attempt) % 2**32,
            constant_liar=True,
            n_startup_trials=0,
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that constant_liar may change in a later version
            setting = _next(optuna, sampler, draws, [*usable, *asked], largest)
        key = canonical(setting)
        if key not in tried:
            tried.add(key)
            found.append(setting)
    return found


def _optuna() -> Any:
    try:
        optuna = import_module("optuna")
    except ImportError:
        raise ValueError(
            "Received: search by optuna, which is not installed. "
            "Expected: pip install -r requirements-search.txt, or by: random."
        ) from None
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    return optuna


def _next(
    optuna: Any, sampler: Any, draws: Mapping[str, Draw], told: Sequence[Told], largest: bool
) -> dict[str, Any]:
    study = optuna.create_study(direction="maximize" if largest else "minimize", sampler=sampler)
    distributions = {name: _distribution(optuna, draw) for name, draw in draws.items()}
    states = optuna.trial.TrialState
    for trial in told:
        state = states.RUNNING
        if trial.ended:
            state = states.FAIL if trial.value is None else states.COMPLETE
        study.add_trial(
            optuna.trial.create_trial(
                params={name: _told(draw, trial.parameters[name]) for name, draw in draws.items()},
                distributions=distributions,
                state=state,
                value=trial.value if state == states.COMPLETE else None,
            )
        )
    given = study.ask(distributions).params
    return {name: _drawn(draw, given[name]) for name, draw in draws.items()}


def _distribution(optuna: Any, draw: Draw) -> Any:
    kinds = optuna.distributions
    if draw.kind == "choice":  # by number: a choice may be a list or a mapping
        return kinds.CategoricalDistribution(list(range(len(draw.choices))))
    if draw.whole:
        return kinds.IntDistribution(int(draw.low), int(draw.high), log=draw.kind == "log")
    return kinds.FloatDistribution(float(draw.low), float(draw.high), log=draw.kind == "log")


def _told(draw: Draw, value: Any) -> Any:
    return draw.choices.index(value) if draw.kind == "choice" else value


def _drawn(draw: Draw, value: Any) -> Any:
    return draw.choices[value] if draw.kind == "choice" else as_drawn(draw, value)


def _fits(draws: Mapping[str, Draw], trial: Told) -> bool:
    """Return whether a trial lies in what is searched now: a spec may have changed since."""
    if trial.value is not None and not math.isfinite(trial.value):
        return False
    for name, draw in draws.items():
        value = trial.parameters.get(name)
        if draw.kind == "choice":
            if name not in trial.parameters or value not in draw.choices:
                return False
        elif not isinstance(value, (int, float)) or not draw.low <= value <= draw.high:
            return False
    return True
