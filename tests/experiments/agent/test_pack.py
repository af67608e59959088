"""One file, the same bytes from the same sources, for every Python from 3.8 on, of the standard library only."""

from __future__ import annotations

import ast
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest

from ddl.experiments.agent.main import main
from ddl.experiments.agent.pack import pack, packed_files
from tests.experiments.agent.worlds import pythons

ROOT = Path(__file__).resolve().parents[3]
FACTOR = 4  # a busy machine

LATER_NAMES = {  # attributes that Python 3.8 lacks
    "removeprefix",
    "removesuffix",
    "is_relative_to",
    "with_stem",
    "hardlink_to",
    "bit_count",
    "cache",
    "randbytes",
    "pairwise",
    "batched",
    "TaskGroup",
    "ExceptionGroup",
    "add_note",
    "StrEnum",
    "file_digest",
}
LATER_WORDS = {
    "strict",
    "kw_only",
    "slots",
}
LATER_MODULES = {"tomllib", "zoneinfo", "graphlib"}


def trees() -> dict[str, ast.Module]:
    """Return the packed modules, parsed as Python 3.8 does."""
    return {
        name: ast.parse((ROOT / name).read_text("utf-8"), name, feature_version=(3, 8))
        for name in packed_files()
    }


def test_packing_twice_gives_the_same_bytes(tmp_path: Path):
    first = pack(tmp_path / "a.pyz")
    time.sleep(0.01)
    assert pack(tmp_path / "sub" / "b.pyz") == first
    assert (tmp_path / "a.pyz").read_bytes() == (tmp_path / "sub" / "b.pyz").read_bytes()


def test_packing_leaves_nothing_else_behind(tmp_path: Path):
    pack(tmp_path / "a.pyz")
    assert [path.name for path in tmp_path.iterdir()] == ["a.pyz"]


def test_the_sum_changes_with_the_contents(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    before = pack(tmp_path / "a.pyz")
    files = packed_files()[:-1]
    monkeypatch.setattr("ddl.experiments.agent.pack.packed_files", lambda: files)
    assert pack(tmp_path / "a.pyz") != before


def test_what_is_packed_imports_only_the_standard_library_and_what_is_packed():
    modules = {name[:-3].replace("/", ".").replace(".__init__", "") for name in packed_files()}
    for name, tree in trees().items():
        for module in imported(tree):
            known = module.split(".")[0] in sys.stdlib_module_names or module in modules
            # The package's own attribute loads what only a manager has.
            assert known or (name, module) == (
                "ddl/experiments/__init__.py",
                "ddl.experiments.api",
            ), (name, module)


def imported(tree: ast.Module) -> set[str]:
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
    return found


def test_every_module_parses_as_python_3_8():
    assert len(trees()) > 20


def test_every_module_has_lazy_annotations():
    # so that list[int] and X | None, which Python 3.8 cannot evaluate, may stand in annotations
    for name, tree in trees().items():
        has_code = any(
            isinstance(node, (ast.FunctionDef, ast.AnnAssign)) for node in ast.walk(tree)
        )
        futures = [
            node
            for node in tree.body
            if isinstance(node, ast.ImportFrom) and node.module == "__future__"
        ]
        assert futures or not has_code or name == "ddl/__init__.py", name


def test_nothing_newer_than_python_3_8_is_called():
    for name, tree in trees().items():
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute):
                assert node.attr not in LATER_NAMES, (name, node.lineno, node.attr)
            if isinstance(node, ast.Call):
                words = {word.arg for word in node.keywords}
                called = getattr(node.func, "id", getattr(node.func, "attr", ""))
                assert called not in ("zip", "dataclass") or not words & LATER_WORDS, (
                    name,
                    node.lineno,
                )
        assert not imported(tree) & LATER_MODULES, name


def test_nothing_is_run_as_text_and_no_pickle_is_read():
    for name, tree in trees().items():
        assert not imported(tree) & {"pickle", "marshal", "shelve"}, name
        for node in ast.walk(tree):
            called = getattr(getattr(node, "func", None), "id", "")
            assert called not in ("eval", "exec", "compile"), (name, node.lineno)


def test_the_file_is_small(agent: Path):
    assert agent.stat().st_size < 200_000
    with zipfile.ZipFile(agent) as archive:
        assert archive.namelist()[0] == "__main__.py"


@pytest.mark.parametrize("python", pythons())
def test_it_starts_in_under_0_3_s(agent: Path, python: str):
    def took() -> float:
        begin = time.perf_counter()
        subprocess.run(
            [python, str(agent), "look", "none/attempts/1"], check=True, capture_output=True
        )
        return time.perf_counter() - begin

    assert min(took() for _ in range(3)) < 0.3 * FACTOR


@pytest.mark.parametrize("words", [[], ["--help"]])
def test_help_lists_the_verbs(agent: Path, words: list[str]):
    done = subprocess.run([sys.executable, str(agent), *words], capture_output=True, text=True)
    assert done.returncode == (0 if words else 2)
    assert "agent.pyz enqueue ATTEMPT_DIR" in done.stdout


@pytest.mark.parametrize(
    "words",
    [
        ["nonsense"],
        ["run"],
        ["run", "here"],
        ["run", "/none/attempts/1"],
        ["enqueue", "/none/attempts/1"],
        ["enqueue", "/none/attempts/1", "--slots", "0"],
        ["enqueue", "/none/attempts/1", "--slots", "many"],
        ["enqueue", "/none/attempts/1", "--gpus", "1"],
        ["enqueue", "/none/attempts/1", "--slots", "1", "--gpus", "-1"],
        ["enqueue", "/none/attempts/1", "--colour", "red"],
        ["enqueue", "/none/attempts/1", "--slots"],
        ["stop", "/none/attempts/1"],
        ["stop", "/none/attempts/1", "--how", "gently"],
        ["stop", "/none/attempts/1", "--how", "superseded"],
        ["look"],
        ["record"],
        ["record", "a=1"],
        ["finished", "now"],
    ],
)
def test_bad_words_get_one_line(
    words: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    monkeypatch.setenv("DDL_NODE_HOME", str(tmp_path))
    assert main(words) == 2
    error = capsys.readouterr().err
    assert error.startswith("agent: Received: ")
    assert error.count("\n") == 1
    assert "Expected" in error


def test_an_older_python_is_told(agent: Path):
    olds = sorted((Path.home() / ".pyenv/versions").glob("3.7.*/bin/python"))
    if not olds:
        pytest.skip("no Python 3.7 here")
    done = subprocess.run([str(olds[0]), str(agent), "node"], capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr == "agent: Received: Python 3.7. Expected: Python 3.8 or newer.\n"
