"""The notebooks are stored without output, run from top to bottom, train a model, and leave no files behind."""

from __future__ import annotations

import base64
import contextlib
import io
import json
import shlex
import tempfile
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

from ddl.training.plan.plan_flags import plan_from_flags
from scripts import train_resnet, train_unet
from tests.launch import REPOSITORY
from tests.scripts.in_process import process_restored

FOLDER = REPOSITORY / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
PNG = b"\x89PNG\r\n\x1a\n"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_stored_without_output(path: Path) -> None:
    notebook = nbformat.read(path, as_version=nbformat.NO_CONVERT)
    nbformat.validate(notebook)
    assert notebook.metadata.kernelspec.name == "python3"
    assert set(notebook.metadata) == {"kernelspec", "language_info"}
    for cell in notebook.cells:
        assert not cell.metadata
        assert cell.get("outputs", []) == []
        assert cell.get("execution_count") is None


SMALLER = {
    "unet_prototype": {
        "image_size=(64, 64)": "image_size=(32, 32), data_option={'count': 40}",
        '"width": 16, "depth": 3': '"width": 4, "depth": 2',
        "epochs=6": "epochs=1",
    },
    "resnet_prototype": {"epochs=10": "epochs=1"},
}


@pytest.mark.parametrize(
    ("name", "script"), [("unet_prototype", train_unet), ("resnet_prototype", train_resnet)]
)
def test_every_cell_runs(
    name: str, script: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In this process, at a small size: no kernel, no time to learn."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    notebook = nbformat.read(FOLDER / f"{name}.ipynb", as_version=4)
    code = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "code")
    for given, instead in SMALLER[name].items():
        assert given in code, f"{given} is no longer in {name}"
        code = code.replace(given, instead)
    printed = io.StringIO()
    with process_restored(), contextlib.redirect_stdout(printed):
        exec(compile(code, name, "exec"), {"__name__": "__main__"})  # noqa: S102
    (model,) = tmp_path.glob("*/model.keras")
    trained = json.loads((model.parent / "plan.json").read_text())
    check_command(printed.getvalue().splitlines()[-1], script, trained)


@pytest.mark.proof
@pytest.mark.parametrize(
    ("name", "script", "metric"),
    [("unet_prototype", train_unet, "dice"), ("resnet_prototype", train_resnet, "top_1")],
)
def test_runs_and_learns(
    name: str, script: Any, metric: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = {path: path.stat().st_mtime_ns for path in FOLDER.rglob("*")}
    outputs = execute(FOLDER / f"{name}.ipynb", tmp_path, monkeypatch)
    assert {path: path.stat().st_mtime_ns for path in FOLDER.rglob("*")} == before
    assert "Warning" not in "".join(output.get("text", "") for output in outputs)
    pictures = [output.data.get("image/png") for output in outputs if "data" in output]
    assert [base64.b64decode(picture)[:8] for picture in pictures if picture] == [PNG] * 4
    (history,) = tmp_path.glob("*/history.jsonl")
    last = json.loads(history.read_text().splitlines()[-1])
    assert last[f"val_{metric}"] > 0.9
    trained = json.loads((history.parent / "plan.json").read_text())
    check_command(outputs[-1].text, script, trained)


def check_command(command: str, script: Any, trained: dict[str, Any]) -> None:
    """Check that a command starts this script with the trained plan; only run_dir and epochs differ."""
    path, *flags = shlex.split(command)[4:]
    assert command.startswith("horovodrun -np 8 python ")
    assert (REPOSITORY / path).samefile(script.__file__)
    arguments = vars(script.build_parser().parse_args(flags))
    assert arguments.pop("dry_run") is False
    plan = plan_from_flags(arguments, script.DEFAULTS).to_dict()
    assert {name for name in plan if plan[name] != trained[name]} == {"run_dir", "epochs"}


def execute(path: Path, scratch: Path, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Run a notebook in its own folder, as a user does, and return the output of its cells."""
    for variable in ("TMPDIR", "IPYTHONDIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR"):
        monkeypatch.setenv(variable, str(scratch))
    monkeypatch.setenv(
        "JUPYTER_PREFER_ENV_PATH", "1"
    )  # use this Python's kernel, even if others are installed
    notebook = nbformat.read(path, as_version=4)
    NotebookClient(
        notebook, timeout=240, resources={"metadata": {"path": str(path.parent)}}
    ).execute()
    return [output for cell in notebook.cells for output in cell.get("outputs", [])]
