"""The room watching/ runs on a node that has nothing but Python 3.8."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ddl.experiments import watching

ROOM = Path(watching.__file__).parent
PROGRAM = """
import json, pathlib, sys
from ddl.experiments.watching.history import History
from ddl.experiments.watching.rule_text import parse_rule
from ddl.experiments.watching.rules import Watch
from ddl.experiments.watching.group import Group
from ddl.experiments.watching.variables import Reader
folder = pathlib.Path(sys.argv[1])
(folder / "out.log").write_text("epoch 1: loss 0.5\\nepoch 2: loss 4\\n")
source = {"from": "stdout", "pattern": "epoch {epoch}: loss {loss}"}
reader = Reader([source], [folder], out_log=folder / "out.log")
history = History(folder / "history.json")
history.merge(reader.poll(ended=True), 1)
history.write()
watch = Watch([parse_rule("high", "loss > 3 * best(loss) -> stop")])
firings = watch.evaluate(history.rows, 2e9, 1e9, 1e9, Group(lambda: []))
print(json.dumps([sys.version_info[:2], [firing.epoch for firing in firings]]))
"""


def modules():
    return sorted(ROOM.rglob("*.py"))


def pythons():
    """Return Pythons 3.8 and 3.13 where they are installed, and the one that runs this."""
    installed = Path.home() / ".pyenv" / "versions"
    found = [next(iter(sorted(installed.glob(f"{v}.*/bin/python"))), None) for v in ("3.8", "3.13")]
    return [str(path) for path in found if path] + [sys.executable]


@pytest.mark.parametrize("path", modules(), ids=lambda path: path.stem)
def test_it_imports_the_standard_library_and_itself_only(path):
    tree = ast.parse(path.read_text(), feature_version=(3, 8))
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add(node.module)
    own = {name for name in names if name.startswith("ddl.experiments.watching.")}
    assert {name.partition(".")[0] for name in names - own} <= set(sys.stdlib_module_names)


@pytest.mark.parametrize("python", pythons())
def test_it_reads_keeps_and_judges_rows(python, tmp_path):
    environment = {"PYTHONPATH": str(ROOM.parents[2]), "PATH": os.environ["PATH"]}
    done = subprocess.run(
        [python, "-B", "-W", "error", "-c", PROGRAM, str(tmp_path)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    _, epochs = json.loads(done.stdout)
    assert epochs == [2]
