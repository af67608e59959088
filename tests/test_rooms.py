"""Where modules stand and what they may import: no circles, only downhill, no folder with more than 14 modules.

`ddl` is read, not imported, so imports inside functions and for type checkers count, too.
"""

from __future__ import annotations

import ast
import functools
import graphlib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

GROUND = {
    "",
    "files",
    "boxes",
}  # the modules of ddl/ itself, such as flags.py, of files/ and of boxes/
HALL = GROUND | {"training", "data", "models", "distributed"}
BELOW = {
    "": GROUND,
    "files": GROUND,
    "boxes": {""},
    "distributed": GROUND,
    "models": GROUND,
    "data": GROUND,
    "training": HALL,
    "config": HALL,
    "asynchronous": HALL,
    "elastic": HALL,
    "inference": HALL,
    "export": HALL | {"inference"},
    "scoring": HALL | {"inference"},
    "install": GROUND | {"distributed"},
    "doctor": GROUND | {"distributed", "install"},
    "benchmark": HALL | {"inference", "export", "doctor", "asynchronous"},
    "experiments": HALL,
}
"""Room -> the rooms that it may import, besides itself."""

EXCEPTIONS = {  # one line for all ranks, before `init`
    ("ddl.command_ends", "ddl.distributed.job.launcher"),
    ("ddl.flags", "ddl.distributed.job.launcher"),
}

MOST_MODULES = 14  # without __init__.py
MORE_MODULES: dict[str, str] = {"ddl/experiments/verbs": "a module for each verb"}
"""Folder that may have more -> the reason."""


@functools.cache
def modules() -> dict[str, Path]:
    """Return every module of ddl by its dotted name."""
    found = {}
    for path in sorted((ROOT / "ddl").rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


@functools.cache
def imports() -> dict[str, set[str]]:
    """Return what each module imports from ddl."""
    return {name: imported(path) - {name} for name, path in modules().items()}


def imported(path: Path) -> set[str]:
    """Return the modules of ddl that a file imports anywhere."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                found.add(inner if inner in modules() else node.module)
    return {name for name in found if name in modules()}


def room(module: str) -> str:
    """Return the folder of ddl/ that a module stands in, or "" for a module of ddl/ itself."""
    folder = modules()[module].relative_to(ROOT / "ddl").parts[:-1]
    return folder[0] if folder else ""


def test_no_two_modules_import_each_other():
    try:
        graphlib.TopologicalSorter(imports()).prepare()
    except graphlib.CycleError as error:
        circle = " -> ".join(reversed(error.args[1]))
        raise AssertionError(f"Received: {circle}. Expected: no circle of imports.") from None


def test_imports_go_downhill():
    uphill = [
        (name, other)
        for name, others in imports().items()
        for other in sorted(others)
        if room(other) not in BELOW[room(name)] | {room(name)} and (name, other) not in EXCEPTIONS
    ]
    assert uphill == []


def test_no_folder_has_more_than_14_modules():
    folders = {path.parent for path in modules().values()}
    counts = {
        str(folder.relative_to(ROOT)): len([*folder.glob("*.py")]) - 1  # without __init__.py
        for folder in folders
    }
    large = {folder: count for folder, count in counts.items() if count > MOST_MODULES}
    assert {folder: large[folder] for folder in large if folder not in MORE_MODULES} == {}


def test_every_folder_says_what_it_holds():
    packages = [path for path in modules().values() if path.name == "__init__.py"]
    assert [
        str(path) for path in packages if not ast.get_docstring(ast.parse(path.read_text()))
    ] == []
