"""The script in README.md runs as it stands, and trains the same model on both ranks."""

from __future__ import annotations

import os
import re
from pathlib import Path

import numpy as np

from tests.launch import REPOSITORY
from tests.ranks import call_ranks


def readme_script() -> str:
    """Return the code under "In your own script"."""
    part = (REPOSITORY / "README.md").read_text("utf-8").partition("## In your own script")[2]
    found = re.search(r"```python\n(.*?)```", part, re.DOTALL)
    assert found is not None
    return found[1]


def run_script(code: str, folder: str) -> tuple[float, list[np.ndarray]]:
    """Run it in a folder; return this rank's share of all samples, and the weights."""
    before = Path.cwd()
    os.chdir(folder)
    names: dict[str, object] = {"__name__": "__main__"}
    try:
        exec(compile(code, "README.md", "exec"), names)  # noqa: S102
    finally:
        os.chdir(before)
    x, mine = names["x"], names["mine"]
    return len(x[mine]) / len(x), names["model"].get_weights()


def test_the_own_script_of_the_readme_runs_as_it_stands_on_two_ranks(tmp_path: Path) -> None:
    first, second = call_ranks(run_script, readme_script(), str(tmp_path), ranks=2)
    assert (first[0], second[0]) == (0.5, 0.5)
    for one, other in zip(first[1], second[1], strict=True):
        assert np.array_equal(one, other)
    assert (tmp_path / "model.keras").stat().st_size > 0


def test_no_page_has_the_name_of_data_that_are_not_there() -> None:
    for page in [REPOSITORY / "README.md", *(REPOSITORY / "docs").glob("*.md")]:
        assert "my_part_of_the_data" not in page.read_text("utf-8"), page
