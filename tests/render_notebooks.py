"""Runs the notebooks, and keeps what they show as pages with small pictures, so that one can look before running them.

python -m tests.render_notebooks      writes docs/notebooks (about two minutes)
"""

from __future__ import annotations

import base64
import io
import os
import re
import sys
import tempfile
from pathlib import Path
from typing import Any
from unittest import mock

import nbformat
from nbclient import NotebookClient
from PIL import Image

from tests.launch import REPOSITORY

NOTEBOOKS = sorted((REPOSITORY / "notebooks").glob("*.ipynb"))
PAGES = REPOSITORY / "docs/notebooks"
MOST_BYTES = 300_000  # of all pages with their pictures
_WIDTH_PX = 760
_QUALITY = 75
_OUTPUT = re.compile(r"```text\n.*?```\n\n|!\[[^\]]*\]\([^)]*\)\n\n", re.DOTALL)
_LEFT_OUT = re.compile(r"\x1b\[K|[^\n]*\r(?!\n)")  # what a progress bar has redrawn


def execute(path: Path, scratch: Path) -> Any:
    """Run a notebook in its own folder, as a user does, and return it with its outputs."""
    names = ("TMPDIR", "IPYTHONDIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR")
    variables = dict.fromkeys(names, str(scratch))
    # Of this Python, even if other kernels are installed.
    variables |= {"JUPYTER_PREFER_ENV_PATH": "1"}
    notebook = nbformat.read(path, as_version=4)
    resources = {"metadata": {"path": str(path.parent)}}
    with mock.patch.dict(os.environ, variables):
        NotebookClient(notebook, timeout=240, resources=resources).execute()
    return notebook


def render(notebook: Any, name: str, scratch: Path | None = None) -> tuple[str, dict[str, bytes]]:
    """Return a page with the cells and outputs of a notebook, and its pictures by name.

    Paths in `scratch` become paths in /tmp.
    """
    parts = [
        f"<!-- python -m tests.render_notebooks writes this page from notebooks/{name}.ipynb. -->\n"
    ]
    pictures: dict[str, bytes] = {}
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            parts.append(_linked(cell.source) + "\n")
            continue
        parts.append(f"```python\n{cell.source}\n```\n")
        text = "".join(_text(output) for output in cell.get("outputs", []))
        text = _LEFT_OUT.sub("", text).replace(str(scratch), "/tmp").strip("\n")
        if text:
            parts.append(f"```text\n{text}\n```\n")
        for output in cell.get("outputs", []):
            if "image/png" in output.get("data", {}):
                picture = f"{name}-{len(pictures) + 1}.jpg"
                pictures[picture] = _small(base64.b64decode(output.data["image/png"]))
                parts.append(f"![What the cell above shows]({picture})\n")
    return "\n".join(parts), pictures


def without_outputs(page: str) -> str:
    """Return a page as `render` gives it for a notebook that was not run."""
    return _OUTPUT.sub("", page + "\n").removesuffix("\n")


def _linked(markdown: str) -> str:
    """Return a cell's text with links that hold in docs/notebooks."""
    text = markdown.replace("](../docs/", "](../")
    return re.sub(r"\]\(#([^)]+)\)", lambda match: f"](#{match[1].lower()})", text)


def _text(output: Any) -> str:
    if output.output_type == "stream":
        return str(output.text)
    data = output.get("data", {})
    return "" if "image/png" in data else f"{data.get('text/plain', '')}\n"


def _small(png: bytes) -> bytes:
    picture = Image.open(io.BytesIO(png)).convert("RGB")
    picture.thumbnail((_WIDTH_PX, _WIDTH_PX))
    written = io.BytesIO()
    picture.save(written, "JPEG", quality=_QUALITY, optimize=True)
    return written.getvalue()


def main() -> int:
    """Run all notebooks and write their pages."""
    PAGES.mkdir(exist_ok=True)
    for path in NOTEBOOKS:
        with tempfile.TemporaryDirectory() as scratch:
            page, pictures = render(execute(path, Path(scratch)), path.stem, Path(scratch))
        (PAGES / f"{path.stem}.md").write_text(page, "utf-8")
        for name, picture in pictures.items():
            (PAGES / name).write_bytes(picture)
        print(f"{PAGES / path.stem}.md: {len(pictures)} pictures", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
