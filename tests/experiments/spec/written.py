"""Specs written for a test, and their experiments.

experiments = written(tmp_path, "command: x {flags}\\nparameters: {a: {grid: [1, 2]}}\\n")
"""

from __future__ import annotations

from pathlib import Path

from ddl.experiments.spec.expand import experiments_of
from ddl.experiments.spec.records import Experiment
from ddl.experiments.spec.spec_file import read_spec
from ddl.experiments.spec.text.item import SpecError
from ddl.experiments.spec.text.reading import parse_document


def written(folder: Path, text: str, name: str = "s.yaml") -> list[Experiment]:
    """Return the experiments of a spec with this text."""
    (folder / name).write_text(text)
    return experiments_of(read_spec(folder / name))


def settings(folder: Path, parameters: str) -> list[dict[str, object]]:
    """Return the parameters of the experiments of a spec whose `parameters` has these lines."""
    lines = "".join(f"  {line}\n" for line in parameters.splitlines())
    text = f"command: x {{parameters}}\nparameters:\n{lines}"
    return [dict(experiment.parameters) for experiment in written(folder, text)]


def problems_of(folder: Path, text: str, name: str = "s.yaml") -> tuple[str, ...]:
    """Return what is wrong with a spec of this text, without the folder's name."""
    try:
        written(folder, text, name)
    except SpecError as error:
        return tuple(line.replace(f"{folder}/", "") for line in error.problems)
    return ()


def plain(text: str, name: str = "s.yaml") -> object:
    """Return the value of a YAML or JSON text."""
    return parse_document(text, Path(name)).plain()
