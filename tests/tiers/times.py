"""The table at the end of a run: tests and seconds of each folder of tests/, and of the slowest files."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

import pytest

SLOW_FILES = 12


@dataclass
class Group:
    """A folder or a file.

    Attributes:
        outcomes: outcome of each test, by node id.
        seconds: time in its tests, with their fixtures.
    """

    outcomes: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0

    def add(self, report: pytest.TestReport) -> None:
        """Count a phase of a test; what is worse than passed stays."""
        self.seconds += report.duration
        if report.when == "call" or report.outcome != "passed":
            self.outcomes[report.nodeid] = report.outcome

    def count(self, outcome: str) -> int:
        """Return how many tests ended so."""
        return sum(found == outcome for found in self.outcomes.values())


def folder_of(nodeid: str) -> str:
    """Return "tests/data" for all below it, "tests" for files that lie in tests/ itself."""
    file = nodeid.partition("::")[0]
    return "/".join(file.split("/")[:-1][:2]) or "."


def sum_up(reports: Iterable[pytest.TestReport]) -> tuple[dict[str, Group], dict[str, Group]]:
    """Return the groups by folder and by file."""
    folders: dict[str, Group] = defaultdict(Group)
    files: dict[str, Group] = defaultdict(Group)
    for report in reports:
        folders[folder_of(report.nodeid)].add(report)
        files[report.nodeid.partition("::")[0]].add(report)
    return folders, files


def table(title: str, groups: dict[str, Group]) -> list[str]:
    """Return the lines of a table, the slowest group first."""
    ordered = sorted(groups.items(), key=lambda entry: -entry[1].seconds)
    width = max([len(title), *map(len, groups)])
    lines = [f"{title:{width}}  passed  failed  skipped  seconds"]
    for name, group in ordered:
        counts = [group.count(outcome) for outcome in ("passed", "failed", "skipped")]
        lines.append(
            f"{name:{width}}  {counts[0]:6d}  {counts[1]:6d}  {counts[2]:7d}  {group.seconds:7.1f}"
        )
    return lines


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the tables where --durations asks for times."""
    if terminalreporter.config.getoption("durations") is None:
        return
    reports = [
        report
        for found in terminalreporter.stats.values()
        for report in found
        if isinstance(report, pytest.TestReport)
    ]
    if not reports:
        return
    folders, files = sum_up(reports)
    slowest = sorted(files.items(), key=lambda entry: -entry[1].seconds)[:SLOW_FILES]
    terminalreporter.section("time of each group", sep="=")
    lines = [*table("folder", folders), "", *table("slowest files", dict(slowest))]
    for line in lines:
        terminalreporter.write_line(line)
