"""Rows of variables from whatever a program writes."""

from __future__ import annotations

import pytest

from ddl.experiments.watching.variables import Reader

NOW = 1_790_000_000.0


class Program:
    """The files of a program that runs, and a reader of them."""

    def __init__(self, folder):
        self.run_dir = folder / "run"
        self.run_dir.mkdir()
        self.out, self.err = folder / "out.log", folder / "err.log"

    def reader(self, *sources, **more):
        return Reader(
            sources,
            [self.run_dir],
            out_log=self.out,
            err_log=self.err,
            clock=lambda: NOW,
            **more,
        )

    def write(self, name, text):
        path = self.run_dir / name
        with path.open("ab") as file:
            file.write(text.encode() if isinstance(text, str) else text)
        return path

    def say(self, text):
        with self.out.open("ab") as file:
            file.write(text.encode() if isinstance(text, str) else text)


@pytest.fixture
def program(tmp_path):
    return Program(tmp_path)


def values(rows):
    return [{name: value for name, value in row.items() if name != "time"} for row in rows]


def test_without_a_file_there_are_no_rows(program):
    reader = program.reader()
    assert reader.poll() == []
    assert reader.poll(ended=True) == []
    assert reader.take_notes() == []


def test_auto_reads_the_history_of_ddl(program):
    reader = program.reader()
    program.write("history.jsonl", '{"epoch": 1, "loss": 0.5, "matrix": [[1, 2]]}\n{"epoch": 2')
    assert values(reader.poll()) == [{"epoch": 1, "loss": 0.5}]
    program.write("history.jsonl", ', "loss": "NaN"}\n')
    (row,) = reader.poll()
    assert row["epoch"] == 2
    assert row["loss"] != row["loss"]
    assert row["time"] == NOW
    assert reader.poll() == []


def test_auto_reads_lines_of_pairs_without_a_history(program):
    reader = program.reader()
    program.say("Loading 500 files\nepoch 1\nloss 0.5\nepoch 2, loss=0.4\nDone: yes\n")
    assert values(reader.poll()) == [{"epoch": 1, "loss": 0.5}, {"epoch": 2, "loss": 0.4}]
