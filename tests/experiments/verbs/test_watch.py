"""`watch`: what is new as lines, the status redrawn on a terminal, until all have ended or Ctrl-C."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ddl.experiments.terminal.screen import Screen
from tests.experiments.made_store import MadeStore
from tests.experiments.verbs.run import run_verb

REPOSITORY = Path(__file__).resolve().parents[3]


@pytest.fixture
def made(tmp_path):
    """Return a store with an experiment that runs."""
    made = MadeStore(tmp_path / "store")
    made.experiment("running", {}, epoch=3, label="a")
    return made


def folder_of(made):
    return made.view().experiments[0].folder


@contextlib.contextmanager
def watching(made, *words: str, stdout=subprocess.PIPE) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "scripts/experiments.py", "watch", "--every", "0.2s", *words]
    command += ["--store", str(made.path)]
    env = {**os.environ, "TERM": "xterm"}
    process = subprocess.Popen(
        command, stdout=stdout, stderr=subprocess.PIPE, cwd=REPOSITORY, env=env
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


class Reader:
    """Collects what comes from a descriptor."""

    def __init__(self, descriptor: int) -> None:
        """Start to read."""
        self._descriptor, self.text = descriptor, ""
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        with contextlib.suppress(OSError):
            while data := os.read(self._descriptor, 65536):
                self.text += data.decode()

    def wait_for(self, text: str) -> None:
        deadline = time.monotonic() + 30
        while text not in self.text:
            assert time.monotonic() < deadline, (text, self.text)
            time.sleep(0.02)


def finish(made) -> None:
    made.end(folder_of(made).attempt(1), "finished")


def test_all_ended_is_the_end(made, capsys):
    finish(made)
    done = run_verb(capsys, "watch", "--store", made.path)
    assert done.status == 0
    assert done.lines == ["cells: 1 experiment: 1 finished"] * 2


def test_something_failed_is_status_3(tmp_path, capsys):
    made = MadeStore(tmp_path / "store")
    made.experiment("failed")
    assert run_verb(capsys, "watch", "--store", made.path).status == 3


def test_news_are_lines(made):
    with watching(made) as process:
        reader = Reader(process.stdout.fileno())
        reader.wait_for("cells: 1 experiment: 1 running\n")
        finding = {"rule": "slow", "text": "half as fast", "epoch": 3, "time": made.now}
        folder_of(made).attempt(1).findings.write_text(json.dumps(finding) + "\n")
        reader.wait_for("001-a: ")
        made.experiment("planned", {}, label="b")
        reader.wait_for("002-b: planned\n")
        made.end(made.view().experiments[1].folder.attempt(1), "finished")
        finish(made)
        assert process.wait(30) == 0
        reader.wait_for("cells: 2 experiments: 2 finished\n")
    _, first, *others = reader.text.splitlines()
    assert first.endswith(", epoch 3: slow: half as fast")
    assert any(line.endswith("001-a: running -> finished at epoch 3") for line in others)


def test_json_is_a_document_a_line(made):
    with watching(made, "--json") as process:
        reader = Reader(process.stdout.fileno())
        reader.wait_for("totals")
        finish(made)
        assert process.wait(30) == 0
        reader.wait_for('{"finished": 1}')
    first, found, last = map(json.loads, reader.text.splitlines())
    assert (first["totals"], last["totals"]) == ({"running": 1}, {"finished": 1})
    assert (found["before"], found["state"], found["name"]) == ("running", "finished", "001-a")


def test_ctrl_c_ends_it_with_130_and_one_line(made):
    with watching(made) as process:
        Reader(process.stdout.fileno()).wait_for("running")
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 130
        assert process.stderr.read() == b"experiments watch: stopped by Ctrl-C.\n"


def test_a_terminal_is_redrawn_in_place(made):
    control, terminal = pty.openpty()
    try:
        with watching(made, stdout=terminal) as process:
            reader = Reader(control)
            reader.wait_for("running")
            reader.wait_for("\x1b[3A\r\x1b[J")
            finish(made)
            assert process.wait(30) == 0
            reader.wait_for("running -> finished")
            reader.wait_for("1 finished")
    finally:
        os.close(control)
        os.close(terminal)


def test_a_json_flag_turns_redrawing_off(made):
    control, terminal = pty.openpty()
    try:
        with watching(made, "--json", stdout=terminal) as process:
            reader = Reader(control)
            reader.wait_for("totals")
            finish(made)
            assert process.wait(30) == 0
            reader.wait_for('"state": "finished"')
            assert "\x1b" not in reader.text
    finally:
        os.close(control)
        os.close(terminal)


class Terminal:
    """A terminal of eight lines."""

    def __init__(self) -> None:
        """Start with nothing written."""
        self.text = ""

    def write(self, text: str) -> None:
        """Take a text."""
        self.text += text

    def flush(self) -> None:
        """Do nothing."""

    def isatty(self) -> bool:
        """Say that it is one."""
        return True

    def fileno(self) -> int:
        """Say that it has no number, so that its size is unknown."""
        raise OSError


def test_a_block_that_is_too_high_is_cut_in_its_middle(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    terminal = Terminal()
    screen = Screen(terminal)
    screen.show([f"line {n}" for n in range(100)])
    shown = terminal.text.splitlines()
    assert len(shown) == 23
    assert shown[-2:] == ["... 78 more lines; `status` shows all", "line 99"]
    terminal.text = ""
    screen.show(["one", "two"])
    assert terminal.text == "\x1b[23A\r\x1b[Jone\ntwo\n"


def test_a_permanent_line_stands_above_the_block(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    terminal = Terminal()
    screen = Screen(terminal)
    screen.show(["one", "two"])
    screen.tell("news")
    screen.show(["one", "two"])
    assert terminal.text == "one\ntwo\n\x1b[2A\r\x1b[Jnews\none\ntwo\n"


@pytest.mark.parametrize("every", ["0s", "nan", "-1s", "0.1s", "2"])
def test_looking_without_a_pause_is_refused(made, capsys, every):
    done = run_verb(capsys, "watch", f"--every={every}", "--store", made.path)
    assert (done.status, done.err.count("\n")) == (2, 1)
