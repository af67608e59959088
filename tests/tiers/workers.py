"""Which of xdist's workers runs a test: the first has the files that call the pool of ranks, the others the rest.

Tests that start ranks of their own mostly wait for them: they run beside the pool. Who has no files of its own left
takes one from the end of the others', so that all workers end at about the same time. A file stays together, and
fixtures of a module are made once. xdist's own `loadgroup` does not work with pytest 9.2: it renames tests by an
attribute that is gone.
"""

from __future__ import annotations

import ast
import functools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]

POOL = ("tests.ranks.call_ranks", "tests.ranks.call_plain_keras", "tests.ranks.scripts.run_script")
"""What calls the pool of ranks, of which there is one."""

STARTERS = ("tests.launch.Job", "tests.launch.run_ranks")
"""What starts ranks. A file that uses it, even through a helper, needs no marker."""

FOLDERS = ("tests/scoring",)
"""Folders whose tests share one server."""


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker for tests that start ranks in another way."""
    marker = (
        "ranks: starts ranks by ddl itself; its file runs early, beside those that call the pool"
    )
    config.addinivalue_line("markers", marker)


def find_group(nodeid: str) -> str:
    """Return the name of the tests that one worker runs in order: a folder that shares a server, or a file."""
    file = nodeid.partition("::")[0]
    return next((folder for folder in FOLDERS if file.startswith(f"{folder}/")), file)


def find_kind(group: str) -> str:
    """Return "pool" for what calls the pool of ranks, "ranks" for what starts ranks of its own, or "rest"."""
    if group in FOLDERS:
        return "rest"
    if uses(group, POOL):
        return "pool"
    return "ranks" if uses(group, STARTERS) or is_marked(group) else "rest"


def choose(waiting: Sequence[str], first_worker: bool) -> str:
    """Return the group that a worker takes next: its own first one, or else the last one of the others."""
    own = [group for group in waiting if (find_kind(group) == "pool") == first_worker]
    return own[0] if own else waiting[-1]


@functools.cache
def uses(file: str, functions: tuple[str, ...]) -> bool:
    """Return whether a file of tests/ imports one of the functions, by itself or by what it imports from tests/."""
    for module, name in imported(parsed(file)):
        whole = f"{module}.{name}"
        if any(function == whole or function.startswith(f"{whole}.") for function in functions):
            return True
        if any(function.startswith(f"{module}.") for function in functions):
            continue  # a neighbour of the function, from its own module
        inner = next((path for path in sources(module, name) if (ROOT / path).is_file()), None)
        if inner and uses(inner, functions):
            return True
    return False


@functools.cache
def is_marked(file: str) -> bool:
    """Return whether a file has the marker `ranks`."""
    nodes = ast.walk(parsed(file))
    return any(
        isinstance(n, ast.Attribute) and ast.unparse(n) == "pytest.mark.ranks" for n in nodes
    )


@functools.cache
def parsed(file: str) -> ast.Module:
    """Return the syntax tree of a file of this repository."""
    return ast.parse((ROOT / file).read_text("utf-8"))


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


def order(nodeid: str) -> int:
    """Return when a test's turn comes: what shares a pool or a server, or waits for ranks, starts first."""
    group = find_group(nodeid)
    kind = find_kind(group)
    return ("pool", "ranks").index(kind) if kind != "rest" else 2 + (group not in FOLDERS)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Let the largest groups start first on workers."""
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: order(item.nodeid))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Return a scheduler that hands out whole groups."""
    from xdist.scheduler import LoadScopeScheduling

    class Groups(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return find_group(nodeid)

        def _assign_work_unit(self, node: Any) -> None:
            chosen = choose(list(self.workqueue), first_worker=node is self.nodes[0])
            self.workqueue.move_to_end(chosen, last=False)  # xdist takes the first one
            super()._assign_work_unit(node)

    config.option.loadscopereorder = False
    return Groups(config, log)
