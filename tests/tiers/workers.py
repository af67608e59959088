"""Which of xdist's workers runs a test: one worker has all tests that start ranks, in order; a file stays together.

Ranks fill the cores by themselves, so two tests with ranks never run side by side. Fixtures of a module are made once.
xdist's own `loadgroup` does not work with pytest 9.2: it renames tests by an attribute that is gone.
"""

from __future__ import annotations

import ast
import functools
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]

STARTERS = {"tests.launch": ("Job", "run_ranks")}
"""What starts ranks, by module. A file that uses it, even through a helper, needs no marker."""

FOLDERS = ("tests/scoring",)
"""Folders whose tests share one server."""


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker for tests that start ranks in another way."""
    told = "ranks: starts ranks by ddl itself; its file runs on the worker that has all tests with ranks"
    config.addinivalue_line("markers", told)


def find_group(nodeid: str) -> str:
    """Return the name of the tests that one worker runs in order: "ranks", a folder or a file."""
    file = nodeid.partition("::")[0]
    if starts_ranks(file):
        return "ranks"
    return next((folder for folder in FOLDERS if file.startswith(f"{folder}/")), file)


@functools.cache
def starts_ranks(file: str) -> bool:
    """Return whether a file of tests/ uses, by itself or by what it imports from tests/, what starts ranks."""
    tree = ast.parse((ROOT / file).read_text("utf-8"))
    if any(
        isinstance(n, ast.Attribute) and ast.unparse(n) == "pytest.mark.ranks"
        for n in ast.walk(tree)
    ):
        return True
    for module, name in imported(tree):
        if name in STARTERS.get(module, ()) or f"{module}.{name}" in STARTERS:
            return True
        if module in STARTERS:
            continue
        inner = next((path for path in sources(module, name) if (ROOT / path).is_file()), None)
        if inner and starts_ranks(inner):
            return True
    return False


def imported(tree: ast.Module) -> set[tuple[str, str]]:
    """Return (module, name) of each `from tests... import name`."""
    return {
        (node.module, alias.name)
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("tests")
        for alias in node.names
    }


def sources(module: str, name: str) -> list[str]:
    """Return the files that `from module import name` may read: a module in a package, a module, a package."""
    path = module.replace(".", "/")
    return [f"{path}/{name}.py", f"{path}.py", f"{path}/__init__.py"]


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Let the largest groups start first on workers, so that both end at about the same time."""
    if hasattr(config, "workerinput"):
        order = {"ranks": 0, **dict.fromkeys(FOLDERS, 1)}
        items.sort(key=lambda item: order.get(find_group(item.nodeid), 2))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Return a scheduler that hands out whole groups in the order of collection."""
    from xdist.scheduler import LoadScopeScheduling

    class Groups(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return find_group(nodeid)

    config.option.loadscopereorder = False
    return Groups(config, log)
