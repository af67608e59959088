"""Judges a log with the `mlperf_logging` package: its parser, and its rules on what every training's log has.

python mlperf_judge.py LOG FOLDER_WITH_PACKAGE

prints what the package finds wrong, one text a line, as JSON. The rules on a submission (who, where, on what
benchmark) are left out, which no training of ours is. The package is not a requirement: it brings pandas, which Keras
would then load in every process.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

RULE_SETS = ("2.0.0", "6.0.0")
DIVISION = (
    ':::MLLOG {"namespace": "", "time_ms": 0, "event_type": "POINT_IN_TIME", "key": "submission_division", '
    '"value": "open", "metadata": {}}\n'
)
"""The rules take the longest time of an initialization from this line."""
LEFT_OUT = ("submission_", "cache_clear")


def judge(log: Path, rule_set: str) -> list[str]:
    """Return what one rule set finds wrong."""
    from mlperf_logging.compliance_checker import mlp_compliance, mlp_parser

    judged = log.with_suffix(".judged")
    judged.write_text(DIVISION + log.read_text())
    lines, errors = mlp_parser.parse_file(str(judged), ruleset=rule_set)
    checker = mlp_compliance.ComplianceChecker("training", rule_set, quiet=True, werror=True)
    rules = Path(mlp_compliance.__file__).parent / f"training_{rule_set}" / "common.yaml"
    checker.configured_checks(lines, rules)
    found: dict[str, Any] = checker.overwritable
    problems = [text for key, text in found.items() if not key.startswith(LEFT_OUT)]
    return [*map(str, errors), *problems, *checker.not_overwritable]


if __name__ == "__main__":
    sys.path.insert(0, sys.argv[2])
    problems = [text for rules in RULE_SETS for text in judge(Path(sys.argv[1]), rules)]
    sys.stdout.write(json.dumps(problems) + "\n")
