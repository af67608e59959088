"""--extras and --dev both install what exports and scoring need."""

from __future__ import annotations

import sys
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement

from ddl.install.environment import Environment
from ddl.install.requirements import name_of, read
from ddl.install.setup import CHECKOUT, Setup
from ddl.install.venv import Stamp


def names(**flags: bool) -> set[str]:
    setup = Setup(Environment.of(Path(sys.executable)), Stamp(), "cpu", **flags)
    return {name_of(line) for line in setup.extra_packages()}


def is_for_this_python(requirement: str) -> bool:
    marker = Requirement(requirement).marker
    return marker is None or marker.evaluate({"extra": ""})


def test_dev_includes_extras() -> None:
    assert names() == set()
    assert names(extras=True) == names(dev=True)
    assert {
        "openvino",
        "nncf",
        "onnx",
        "onnxruntime",
        "tf2onnx",
        "psycopg",
        "starlette",
        "uvicorn",
    } <= names(extras=True)


def test_the_lists_include_all_dependencies() -> None:
    """Extras are installed with --no-deps, so the lists must name every dependency but scikit-learn."""
    setup = Setup(Environment.of(Path(sys.executable)), Stamp(), "cpu", extras=True)
    listed = {name_of(line) for line in setup.extra_packages() if is_for_this_python(line)}
    for name in listed:
        for asked in metadata.requires(name) or ():
            if is_for_this_python(asked) and name_of(asked) != "scikit-learn":
                assert metadata.version(name_of(asked)), f"{name} needs {asked}"


def test_both_lists_pin_the_same_versions() -> None:
    export, sql = (
        dict.fromkeys(read(CHECKOUT / f"requirements-{part}.txt")) for part in ("export", "sql")
    )
    shared = {name_of(line) for line in export} & {name_of(line) for line in sql}
    assert {line for line in export if name_of(line) in shared} == {
        line for line in sql if name_of(line) in shared
    }
