"""Keeps the result of `--long NAME` in benchmarks/results/long_NAME.json.

What a test gives to `record_property` stands in it beside the test's outcome and time.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ddl.files import write_whole
from ddl.training.record.run_facts import gather_facts
from tests.tiers.demands import DEMANDS

RESULTS = Path(__file__).resolve().parents[2] / "benchmarks" / "results"
_FACTS = ("git", "versions", "processor", "cores", "memory_gb", "gpus", "started")


def result_of(name: str, reports: list[pytest.TestReport]) -> dict[str, Any]:
    """Return what is kept of a demand's run, ready for JSON."""
    facts = {fact: value for fact, value in gather_facts().items() if fact in _FACTS and value}
    facts["ended"] = facts.pop("started")  # they are gathered after the tests
    facts["versions"] = {k: v for k, v in facts["versions"].items() if k != "executable"}
    tests = [
        {
            "test": report.nodeid,
            "outcome": report.outcome,
            "seconds": round(report.duration, 1),
            **dict(report.user_properties),
        }
        for report in reports
    ]
    command = f"./run_tests.sh --long {name}"
    return {"demand": DEMANDS[name], "tests": tests, "facts": facts | {"command": command}}


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Write the result of a demand, and say where."""
    config = terminalreporter.config
    name = config.getoption("--long")
    stats = terminalreporter.stats
    reports = [
        report
        for outcome in ("passed", "failed")
        for report in stats.get(outcome, [])
        if report.when == "call"
    ]
    if name is None or not reports:
        return
    path = RESULTS / f"long_{name}.json"
    text = json.dumps(result_of(name, reports), indent=1) + "\n"
    write_whole(path, lambda file: file.write_text(text, "utf-8"))
    terminalreporter.write_line(f"Result: {path.relative_to(config.rootpath)}")
