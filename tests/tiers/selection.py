"""Which tests a run takes: the first tier, `--all`, or one full-size demand (`--long NAME`).

A marker decides, also for files and tests that the command line names:

- `@pytest.mark.proof`: only with `--all`. It needs a smaller sister in the first tier.
- `@pytest.mark.long("NAME")`: only with `--long NAME`. It needs a smaller sister in `--all`.
"""

from __future__ import annotations

import pytest

from tests.tiers.demands import DEMANDS, refusal

MARKERS = (
    "proof: runs only with --all; a smaller sister runs in the first tier",
    "long(name): runs only with --long NAME; a smaller sister runs with --all",
)


NOTHING = pytest.StashKey[str]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the tiers' options."""
    group = parser.getgroup("tiers")
    group.addoption("--all", action="store_true", help="take tests with the marker `proof`, too")
    names = ", ".join(DEMANDS)
    group.addoption("--long", metavar="NAME", help=f"take one full-size demand alone: {names}")


def pytest_configure(config: pytest.Config) -> None:
    """Register the markers, and refuse an unknown demand."""
    for marker in MARKERS:
        config.addinivalue_line("markers", marker)
    name = config.getoption("--long")
    if name is not None and (told := refusal(name)):
        raise pytest.UsageError(told)


def belongs(item: pytest.Item, everything: bool, demand: str | None) -> bool:
    """Return whether a test belongs to the tier."""
    long = item.get_closest_marker("long")
    if demand or long:
        return long is not None and demand == long.args[0]
    return everything or item.get_closest_marker("proof") is None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what belongs to another tier."""
    everything, demand = config.getoption("--all"), config.getoption("--long")
    kept = [item for item in items if belongs(item, everything, demand)]
    left_out = [item for item in items if not belongs(item, everything, demand)]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
    if items and not kept:
        config.stash[NOTHING] = (
            f"All {len(items)} tests belong to another tier: add --all, or --long NAME."
        )
    items[:] = kept


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say why no test ran where the tier is the reason."""
    if told := terminalreporter.config.stash.get(NOTHING, ""):
        terminalreporter.write_line(told, yellow=True)
