"""From a command of PyDTNN to a plan's fields, and one line each on what is otherwise here."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from ddl.config.pydtnn.draft import Draft
from ddl.config.pydtnn.flag import IDLE, REFUSED, TRANSLATED
from ddl.config.pydtnn.settings import Settings
from ddl.config.pydtnn.spelling import settings_of
from ddl.config.pydtnn.table import FLAGS
from ddl.config.pydtnn.topics.data import translate_data
from ddl.config.pydtnn.topics.machine import translate_machine
from ddl.config.pydtnn.topics.network import translate_model
from ddl.config.pydtnn.topics.objective import translate_objective
from ddl.config.pydtnn.topics.optimizer import translate_optimizer
from ddl.config.pydtnn.topics.pictures import translate_augmentation
from ddl.config.pydtnn.topics.run import translate_run
from ddl.config.pydtnn.topics.schedulers import translate_schedulers

_TRANSLATORS = (
    translate_run,
    translate_machine,
    translate_model,
    translate_data,
    translate_augmentation,
    translate_objective,
    translate_optimizer,
    translate_schedulers,  # it needs the rate
)


@dataclasses.dataclass(frozen=True)
class Translation:
    """A command of PyDTNN as fields of a plan.

    Attributes:
        settings: the command as values.
        fields: field of a `Plan` -> its value; `run_dir` is not among them.
        notes: what is otherwise here than there, a line each.
    """

    settings: Settings
    fields: dict[str, Any]
    notes: list[str]


def translate(words: Sequence[str], generation: str | None = None, ranks: int = 1) -> Translation:
    """Return what a command of PyDTNN stands for. The same words give the same on all ranks.

    Args:
        words: the command's words, without the program.
        generation: "2020", "1" or "3"; None takes the earliest generation that has all of the command's flags.
        ranks: how many ranks the launcher starts.

    Raises:
        ValueError: an unknown flag, a value of another type, or a setting that is refused here.
    """
    settings = settings_of(words, FLAGS, generation, ranks)
    for name, flag in FLAGS.items():
        if flag.fate == REFUSED and settings.is_given(name) and settings[name] not in flag.harmless:
            raise settings.refusal(name, flag.refused)
    draft = Draft()
    for translator in _TRANSLATORS:
        translator(settings, draft)
    idle = _without_effect(settings)
    return Translation(settings, draft.fields, draft.notes + ([idle] if idle else []))


def _without_effect(settings: Settings) -> str:
    """Return a line that names the given flags without effect, "" without any."""
    reasons: dict[str, list[str]] = {}
    for name in settings.given:
        flag = FLAGS[name]
        if flag.fate == IDLE:
            reasons.setdefault(flag.idle, []).append(settings.shown(name))
        elif flag.fate == TRANSLATED and name not in settings.asked:
            reasons.setdefault("no flag that uses it is given", []).append(settings.shown(name))
    if not reasons:
        return ""
    told = "; ".join(f"{', '.join(flags)} ({reason})" for reason, flags in reasons.items())
    return f"Without effect: {told}."
