"""The first five minutes of docs/experiments.md, command by command: from a spec to a mail."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.experiments.engine.lab import Lab
from tests.experiments.notify.sink import Sink, running
from tests.pages import read_page

ROOT = Path(__file__).resolve().parents[3]
SPEC = "examples/experiments/quick.yaml"
PROGRAM = """\
import sys, time
rate = float(sys.argv[sys.argv.index("--learning-rate") + 1])
for epoch in range(1, 7):
    print(f"epoch {epoch} val_dice {0.9 if rate > 1e-5 else 0.1}", flush=True)
    time.sleep(0.3)
"""


@pytest.fixture
def mails(lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sink]:
    """Return a mail server that the user's settings name."""
    folder = tmp_path / "config" / "ddl"
    folder.mkdir(parents=True)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(folder.parent))
    with running() as sink:
        where = f"host: 127.0.0.1\nport: {sink.port}\nsecurity: none\nfrom: ddl@example.org\n"
        (folder / "mail.yaml").write_text(where)
        yield sink


def commands() -> list[list[str]]:
    """Return the words of each command of the page's first part."""
    part = read_page("experiments.md").partition("## Five minutes")[2].partition("\n## ")[0]
    blocks = re.findall(r"```bash\n(.*?)```", part, re.DOTALL)
    lines = (shlex.split(line, comments=True) for block in blocks for line in block.splitlines())
    return [words for words in lines if words]


def walk(folder: Path, store: Path) -> dict[str, str]:
    """Run the page's commands in a folder; return the output of each verb."""
    said = {}
    for first, *words in commands():
        if first == "export" or words[1] in ("watch", "notify"):
            continue  # the store's place is the test's; the verbs end with Ctrl-C, or need a server of the user's
        said[words[1]] = _run(words, folder, store)
        if words[1] == "submit":  # the page goes on when all have ended
            _run(["scripts/experiments.py", "manage", "--every", "1s"], folder, store)
    return said


def _run(words: list[str], folder: Path, store: Path) -> str:
    done = subprocess.run(
        [sys.executable, str(ROOT / words[0]), *words[1:]],
        cwd=folder,
        env={**os.environ, "DDL_STORE": str(store)},  # as the page exports it
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, f"{words}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def test_the_page_shows_the_spec_that_is_there() -> None:
    shown = re.findall(r"```yaml\n# quick.yaml\n(.*?)```", read_page("experiments.md"), re.DOTALL)
    assert [yaml.safe_load(text) for text in shown] == [yaml.safe_load((ROOT / SPEC).read_text())]


def test_the_first_five_minutes_with_a_small_program(lab: Lab, mails: Sink, tmp_path: Path) -> None:
    spec = lab.path / SPEC
    spec.parent.mkdir(parents=True)
    (spec.parent / "train.py").write_text(PROGRAM)
    command = "command: python3 examples/experiments/train.py {flags}"
    text = re.sub(r"command: .*", command, (ROOT / SPEC).read_text())
    variables = 'variables: [{from: stdout, pattern: "epoch {epoch} val_dice {val_dice}"}]\n'
    spec.write_text(text + variables)
    said = walk(lab.path, tmp_path / "store")
    assert said["plan"].splitlines()[2].startswith("003-lr1e-6")
    assert re.search(r"003-lr1e-6 +stopped", said["status"])
    assert any("003-lr1e-6" in subject for subject in mails.subjects)


@pytest.mark.proof
def test_the_first_five_minutes_as_they_stand(
    mails: Sink, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:/usr/bin:/bin")
    said = walk(ROOT, tmp_path / "store")
    assert re.search(r"003-lr1e-6 +stopped", said["status"])
    assert re.search(r"001-lr0.003 +finished", said["status"])
    assert "rate too low" in said["diagnose"]
    assert len(mails.mails) == 3
