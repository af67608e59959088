"""What verbs on a spec share: their flags, and how they tell what is wrong with it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from ddl.experiments.spec.text.item import SpecError
from ddl.flags import BAD_INPUT
from ddl.plain_text import tell


@dataclass(frozen=True, kw_only=True)
class OfSpec:
    """A spec.

    Attributes:
        spec: the spec, a file that ends in .yaml, .json or .csv
        store: the store's folder; without it $DDL_STORE, else experiments/NAME beside the spec
        command: the command, in place of the spec's
        json: print one JSON document instead of text
    """

    spec: Path = field(kw_only=False)
    store: Path | None = None
    command: str = ""
    json: bool = False


def tell_problems(verb: str, error: SpecError) -> int:
    """Tell all that is wrong with a spec, a line each. Return the status of bad input."""
    for problem in error.problems:
        tell(f"experiments {verb}: {problem}")
    return BAD_INPUT
