"""The notebooks are stored without output, run from top to bottom, train a model, and leave no files behind."""

from __future__ import annotations

import base64
import contextlib
import io
import json
import re
import shlex
import tempfile
from pathlib import Path
from typing import Any

import nbformat
import pytest
from PIL import Image

from ddl.training.plan.plan_flags import plan_from_flags
from scripts import train_cnn, train_unet
from tests.launch import REPOSITORY
from tests.render_notebooks import MOST_BYTES, NOTEBOOKS, PAGES, execute, render, without_outputs
from tests.scripts.in_process import process_restored

FOLDER = REPOSITORY / "notebooks"
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
    ("name", "script"), [("unet_prototype", train_unet), ("resnet_prototype", train_cnn)]
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
    [("unet_prototype", train_unet, "dice"), ("resnet_prototype", train_cnn, "top_1")],
)
def test_runs_and_learns(name: str, script: Any, metric: str, tmp_path: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in FOLDER.rglob("*")}
    notebook = execute(FOLDER / f"{name}.ipynb", tmp_path)
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
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
    assert not arguments.pop("dry_run")
    plan = plan_from_flags(arguments, script.DEFAULTS).to_dict()
    assert {name for name in plan if plan[name] != trained[name]} == {"run_dir", "epochs"}


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_rendered_copy_of_each_notebook_shows_its_cells_and_pictures(path: Path) -> None:
    """After a change of a notebook, `python -m tests.render_notebooks` writes the copies again."""
    page = (PAGES / f"{path.stem}.md").read_text("utf-8")
    cells, _ = render(nbformat.read(path, as_version=4), path.stem)
    assert without_outputs(page) == cells
    pictures = re.findall(r"^!\[.*\]\((.*)\)$", page, re.MULTILINE)
    assert len(pictures) == 4
    for picture in pictures:
        assert (PAGES / picture).read_bytes()[:2] == b"\xff\xd8"
    assert "Traceback" not in page
    assert "Warning" not in page


def test_the_rendered_copies_are_small() -> None:
    files = list(PAGES.iterdir())
    assert {file.name.partition("-")[0].partition(".")[0] for file in files} == {
        path.stem for path in NOTEBOOKS
    }
    assert sum(file.stat().st_size for file in files) < MOST_BYTES


def test_a_rendered_page_has_texts_pictures_and_links_that_hold() -> None:
    png = io.BytesIO()
    Image.new("RGB", (900, 30)).save(png, "PNG")
    shown = {"image/png": base64.b64encode(png.getvalue()).decode(), "text/plain": "<Figure>"}
    code = nbformat.v4.new_code_cell("train(plan)")
    code.outputs = [
        nbformat.v4.new_output("stream", text="10%\r\x1b[K20%\r\x1b[Kdone in /scratch/run\n"),
        nbformat.v4.new_output("display_data", shown),
    ]
    text = nbformat.v4.new_markdown_cell("See [data](../docs/data.md) and [the end](#To-N-ranks).")
    page, pictures = render(nbformat.v4.new_notebook(cells=[text, code]), "it", Path("/scratch"))
    assert page.endswith(
        "See [data](../data.md) and [the end](#to-n-ranks).\n\n```python\ntrain(plan)\n```\n\n"
        "```text\ndone in /tmp/run\n```\n\n![What the cell above shows](it-1.jpg)\n"
    )
    assert Image.open(io.BytesIO(pictures["it-1.jpg"])).size == (760, 25)
    code.outputs = []
    bare, _ = render(nbformat.v4.new_notebook(cells=[text, code]), "it")
    assert without_outputs(page) == bare
