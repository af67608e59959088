"""Runs a verb within this process."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import pytest

from ddl.experiments import command


@dataclass(frozen=True)
class Done:
    """How a verb ended, and what it printed."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Its standard output as JSON."""
        return json.loads(self.out)

    @property
    def lines(self) -> list[str]:
        """Its standard output as lines."""
        return self.out.splitlines()


def run_verb(capsys: pytest.CaptureFixture[str], *words: object) -> Done:
    """Run `experiments.py WORDS`."""
    capsys.readouterr()
    try:
        status = command.main("doc", [str(word) for word in words])
    except SystemExit as ended:  # the parser's
        status = int(ended.code or 0)
    out, err = capsys.readouterr()
    return Done(status, out, err)
