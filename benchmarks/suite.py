"""The measurements of benchmarks/definitions.json, each run in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from ddl.options import convert_fields
from ddl.ranges import check_choice

ROOT = Path(__file__).resolve().parents[1]
DEFINITIONS = ROOT / "benchmarks/definitions.json"
RESULTS = ROOT / "benchmarks/results"


@dataclass(frozen=True)
class Definition:
    """A measurement.

    Attributes:
        name: of its results, in benchmarks/results.
        what: description in the tables.
        command: arguments of benchmarks/run.py.
        wanted: lower bound of the first ratio, or None.
        wanted_value: bound of the values, or None: an upper bound of all of them where they are costs (seconds or
            percent), else a lower bound of the second value (of the first where there is one only).
        most: upper bound of the first ratio, or None.
        expect: description in docs/performance.md, for the measurements that users see there.
    """

    name: str
    what: str
    command: str
    wanted: float | None = None
    wanted_value: float | None = None
    most: float | None = None
    expect: str | None = None


@dataclass(frozen=True, kw_only=True)
class SuiteRequest:
    """Measurement.

    Attributes:
        only: names of benchmarks/definitions.json to measure (default: all).
    """

    only: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse unknown names."""
        convert_fields(self)
        known = [definition.name for definition in definitions()]
        for name in self.only:
            check_choice("only", name, known)

    def run(self) -> None:
        """Run the measurements one after the other.

        Raises:
            ValueError: a measurement failed; it has printed the reason.
        """
        for definition in definitions():
            if not self.only or definition.name in self.only:
                output = f"benchmarks/results/{definition.name}"
                words = [*definition.command.split(), "--output", output]
                command = [sys.executable, "benchmarks/run.py", *words]
                status = subprocess.run(command, cwd=ROOT, check=False).returncode
                if status:
                    raise ValueError(
                        f"{definition.name} ended with status {status}; the rest did not run."
                    )


def definitions(path: Path = DEFINITIONS) -> list[Definition]:
    """Return the definitions, in the order of the tables."""
    return [Definition(**definition) for definition in json.loads(path.read_text("utf-8"))]
