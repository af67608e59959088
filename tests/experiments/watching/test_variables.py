"""Rows of variables from whatever a program writes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ddl.experiments.watching import variables
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


def test_a_history_takes_the_place_of_lines(program):
    reader = program.reader()
    program.say("epoch 1 loss 9\n")
    reader.poll()
    program.write("history.jsonl", '{"epoch": 1, "loss": 0.5}\n')
    program.say("epoch 2 loss 9\n")
    assert values(reader.poll()) == [{"epoch": 1, "loss": 0.5}]


def test_a_history_that_is_rewritten_on_a_resume_is_read_again(program):
    reader = program.reader()
    lines = [f'{{"epoch": {n}, "loss": {n}.5}}\n' for n in range(1, 6)]
    path = program.write("history.jsonl", "".join(lines))
    assert len(reader.poll()) == 5
    other = program.write("new", "".join(lines[:2]))
    other.replace(path)  # another inode, fewer lines
    assert [row["epoch"] for row in reader.poll()] == [1, 2]
    program.write("history.jsonl", '{"epoch": 3, "loss": 7}\n')
    assert values(reader.poll()) == [{"epoch": 3, "loss": 7}]


def test_a_file_that_is_rewritten_in_place_is_read_again(program):
    reader = program.reader({"from": "log.jsonl"})
    path = program.write("log.jsonl", '{"epoch": 1, "loss": 1}\n')
    reader.poll()
    with path.open("w") as file:  # longer than before, the same inode
        file.write('{"epoch": 1, "loss": 2}\n{"epoch": 2, "loss": 3}\n')
    assert values(reader.poll()) == [{"epoch": 1, "loss": 2}, {"epoch": 2, "loss": 3}]


def test_a_torn_last_line_waits_for_its_end(program):
    reader = program.reader({"from": "log.jsonl"})
    program.write("log.jsonl", '{"epoch": 1, "loss": 0.')
    assert reader.poll() == []
    assert reader.take_notes() == []
    program.write("log.jsonl", "25}")
    assert reader.poll() == []
    assert values(reader.poll(ended=True)) == [{"epoch": 1, "loss": 0.25}]


def test_a_torn_character_waits_for_its_end(program):
    reader = program.reader({"from": "log.jsonl"})
    line = '{"epoch": 1, "präzision": 1}\n'.encode()
    program.write("log.jsonl", line[:17])
    assert reader.poll() == []
    program.write("log.jsonl", line[17:])
    assert values(reader.poll()) == [{"epoch": 1, "präzision": 1}]


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ('"NaN"', "nan"),
        ("NaN", "nan"),
        ('"Infinity"', "inf"),
        ("-Infinity", "-inf"),
        ('"-inf"', "-inf"),
        ("1e400", "inf"),
        ("1" + "0" * 400, "inf"),
        ('"0.25"', "0.25"),
        ('"12%"', "12"),
        ("true", "1"),
        ("-0.0", "-0.0"),
        ("123456789012345678901234567890", "1.2345678901234568e+29"),
    ],
)
def test_numbers_of_json(program, text, number):
    reader = program.reader({"from": "log.jsonl"})
    program.write("log.jsonl", f'{{"epoch": 1, "x": {text}}}\n')
    assert str(reader.poll()[0]["x"]) == number


@pytest.mark.parametrize("text", ['"text"', "null", "[1, 2]", '""', '"1.2.3"', '"0x10"', '"1_000"'])
def test_what_is_no_number_is_left_out(program, text):
    reader = program.reader({"from": "log.jsonl"})
    program.write("log.jsonl", f'{{"epoch": 1, "x": {text}, "y": 2}}\n')
    assert values(reader.poll()) == [{"epoch": 1, "y": 2}]


def test_inner_objects_become_names_with_dots(program):
    reader = program.reader({"from": "log.jsonl"})
    program.write("log.jsonl", '{"epoch": 1, "train": {"loss": 2, "by": {"class": 3}}}\n')
    assert values(reader.poll()) == [{"epoch": 1, "train.loss": 2, "train.by.class": 3}]


def test_a_date_is_when_the_row_was_made_and_other_reserved_names_get_an_underscore(program):
    reader = program.reader({"from": "log.jsonl"})
    program.write("log.jsonl", f'{{"epoch": 1, "time": {NOW - 99}, "attempt": 7}}\n')
    program.write("log.jsonl", '{"epoch": 2, "time": 0.25, "row": 8}\n')
    assert reader.poll() == [
        {"epoch": 1, "time": NOW - 99, "attempt_": 7},
        {"epoch": 2, "time": NOW, "time_": 0.25, "row_": 8},
    ]


def test_rows_without_an_epoch_are_known_by_their_step_or_counted(program):
    reader = program.reader({"from": "a.jsonl"}, {"from": "b.jsonl"})
    program.write("a.jsonl", '{"step": 100, "loss": 1}\n{"Step": 200, "loss": 2}\n')
    program.write("b.jsonl", '{"acc": 1}\n{"acc": 2}\n')
    assert values(reader.poll()) == [
        {"step": 100, "loss": 1},
        {"step": 200, "loss": 2},
        {"row": 1, "acc": 1},
        {"row": 2, "acc": 2},
    ]


def test_rows_of_several_sources_meet_in_their_epoch(program):
    reader = program.reader({"from": "a.jsonl"}, {"from": "b.csv"})
    program.write("a.jsonl", '{"epoch": 1, "loss": 1}\n')
    program.write("b.csv", "epoch,acc\n1,0.5\n")
    assert values(reader.poll()) == [{"epoch": 1, "loss": 1, "acc": 0.5}]


@pytest.mark.parametrize("comma", [",", ";", "\t", " , "])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_csv(program, comma, end):
    reader = program.reader({"from": "log.csv"})
    lines = [["epoch", "loss", "note"], ["1", "0.5", "first"], ["2", "", "x"], ["3", "nan", ""]]
    program.write("log.csv", "".join(comma.join(line) + end for line in lines))
    rows = reader.poll()
    assert values(rows[:2]) == [{"epoch": 1, "loss": 0.5}, {"epoch": 2}]
    assert str(rows[2]["loss"]) == "nan"
    assert reader.take_notes() == []


def test_csv_whose_header_grows_is_read_again(program):
    reader = program.reader({"from": "metrics.csv"})
    path = program.write("metrics.csv", "epoch,train_loss\n0,0.5\n")
    assert values(reader.poll()) == [{"epoch": 0, "train_loss": 0.5}]
    path.write_text("epoch,train_loss,val_loss\n0,0.5,\n0,,0.75\n")
    assert values(reader.poll()) == [{"epoch": 0, "train_loss": 0.5, "val_loss": 0.75}]


def test_csv_with_a_broken_line_says_so_and_reads_on(program):
    reader = program.reader({"from": "log.csv"})
    program.write("log.csv", '\ufeffepoch,"train loss"\n1,0.5\n2\n3,0.25\n')
    assert values(reader.poll()) == [
        {"epoch": 1, "train loss": 0.5},
        {"epoch": 3, "train loss": 0.25},
    ]
    assert reader.take_notes() == ["log.csv: lines that are no rows of its columns are left out"]
    assert reader.take_notes() == []


def test_columns_choose_and_rename(program):
    reader = program.reader({"from": "log.csv", "columns": ["epoch=Iteration", "loss=train loss"]})
    program.write("log.csv", "Iteration,train loss,other\n1,0.5,9\n")
    assert values(reader.poll()) == [{"epoch": 1, "loss": 0.5}]


def test_a_document_is_read_whole_when_it_changes(program):
    reader = program.reader({"from": "checkpoint-*/state.json"})
    for number in (1, 2):
        (program.run_dir / f"checkpoint-{number}").mkdir()
        rows = ", ".join(f'{{"epoch": {n}, "loss": {n}}}' for n in range(1, number + 1))
        path = program.write(
            f"checkpoint-{number}/state.json", f'{{"log_history": [{rows}], "x": [1]}}'
        )
        os.utime(path, (NOW + number, NOW + number))
        assert [row["epoch"] for row in reader.poll()] == list(range(1, number + 1))
    assert reader.poll() == []


@pytest.mark.parametrize("text", ["", "{", "3", "[]", '{"a": 1}', "[3, {}]"])
def test_a_document_without_rows_has_none(program, text):
    reader = program.reader({"from": "state.json"})
    program.write("state.json", text)
    assert values(reader.poll()) in ([], [{"row": 1}])


def test_lines_of_stderr_by_a_pattern(program):
    reader = program.reader({"from": "stderr", "pattern": "epoch {epoch}: loss {loss}"})
    program.err.write_text("epoch 1: loss 0.5\nwarning 7\nepoch 2: loss 0.25\n")
    assert values(reader.poll()) == [{"epoch": 1, "loss": 0.5}, {"epoch": 2, "loss": 0.25}]


def test_values_after_an_epochs_line_belong_to_it(program):
    reader = program.reader({"from": "stdout"})
    program.say("epoch 1\nloss 3\n")
    assert values(reader.poll()) == [{"epoch": 1, "loss": 3}]
    program.say("val_loss 4\n")
    assert values(reader.poll()) == [{"epoch": 1, "loss": 3, "val_loss": 4}]
    assert reader.poll() == []


def test_without_epochs_a_name_that_comes_again_begins_a_row(program):
    reader = program.reader({"from": "stdout"})
    program.say("loss 3\nacc 0.1\nloss 2\nacc 0.2\n")
    assert values(reader.poll()) == [{"row": 1, "loss": 3, "acc": 0.1}]
    assert values(reader.poll()) == [
        {"row": 2, "loss": 2, "acc": 0.2}
    ]  # nothing was added meanwhile
    program.say("loss 1\n")
    assert values(reader.poll(ended=True)) == [{"row": 3, "loss": 1}]


def test_counted_rows_go_on_after_those_of_earlier_attempts(program):
    reader = program.reader({"from": "stdout"}, rows_before=7)
    program.say("loss 3\n")
    assert values(reader.poll(ended=True)) == [{"row": 8, "loss": 3}]


def test_what_stands_before_the_first_epoch_is_no_row(program):
    reader = program.reader({"from": "stdout"})
    program.say("seed 42\nepoch 1\nloss 3\n")
    assert values(reader.poll(ended=True)) == [{"epoch": 1, "loss": 3}]


def test_progress_bars_with_carriage_returns_are_lines(program):
    reader = program.reader({"from": "stdout", "pattern": "{epoch}/* loss: {loss}"})
    program.say(b"1/2 [==>  ] loss: 0.9\r1/2 [====>] loss: 0.5\r\n2/2 [==> ] loss: 0.4\r")
    assert values(reader.poll()) == [{"epoch": 1, "loss": 0.5}, {"epoch": 2, "loss": 0.4}]


def test_binary_garbage_is_passed_over(program):
    reader = program.reader({"from": "stdout"})
    program.say(bytes(range(256)) * 40 + b"\nloss 3\n\xff\xfe\x00\nepoch \x001\n")
    assert values(reader.poll(ended=True)) == [{"row": 1, "loss": 3}]


def test_a_line_that_is_too_long_is_left_out_and_said(program):
    reader = program.reader({"from": "log.jsonl"})
    program.write("log.jsonl", '{"epoch": 1, "loss": 1}\n{"x": "')
    assert len(reader.poll()) == 1
    program.write("log.jsonl", "y" * (3 << 20))
    assert reader.poll() == []
    program.write("log.jsonl", '"}\n{"epoch": 2, "loss": 2}\n')
    assert [row["epoch"] for row in reader.poll()] == [2]
    assert reader.take_notes() == ["log.jsonl: lines longer than 1048576 bytes are left out"]


def test_thousands_of_variables_are_bounded_with_a_note(program):
    reader = program.reader({"from": "log.jsonl"})
    many = ", ".join(f'"v{number}": {number}' for number in range(3000))
    program.write("log.jsonl", f'{{"epoch": 1, {many}}}\n{{"epoch": 2, {many}}}\n')
    rows = reader.poll()
    assert [len(row) for row in rows] == [258, 258]  # with epoch and time
    assert ["more than 256 variables: v256" in note for note in reader.take_notes()] == [True]


def test_what_is_recorded_by_the_agent_is_read_besides(program, tmp_path):
    record = tmp_path / "record.jsonl"
    reader = program.reader(record=record)
    record.write_text('{"epoch": 1, "time": 1789999999.5}\n{"loss": 3}\n{"epoch": 2, "loss": 2}\n')
    program.say("epoch 1 acc 0.5\n")
    assert values(reader.poll()) == [{"epoch": 1, "acc": 0.5, "loss": 3}, {"epoch": 2, "loss": 2}]


def test_a_path_is_looked_for_in_the_run_directory_and_then_where_the_command_runs(tmp_path):
    run_dir, folder = tmp_path / "run", tmp_path / "code"
    for each in (run_dir, folder):
        each.mkdir()
    (folder / "log.csv").write_text("epoch,loss\n1,2\n")
    reader = Reader([{"from": "log.csv"}], [run_dir, folder], clock=lambda: NOW)
    assert values(reader.poll()) == [{"epoch": 1, "loss": 2}]


def test_an_absolute_path(tmp_path):
    path = tmp_path / "log.jsonl"
    path.write_text('{"epoch": 1}\n')
    assert len(Reader([{"from": str(path)}], [tmp_path / "run"]).poll()) == 1


def test_a_folder_or_a_pipe_in_place_of_a_file_is_said(program):
    (program.run_dir / "log.jsonl").mkdir()
    os.mkfifo(program.run_dir / "pipe.csv")
    reader = program.reader({"from": "log.jsonl"}, {"from": "pipe.csv"})
    assert reader.poll() == []
    assert reader.take_notes() == [
        "log.jsonl cannot be read: not a regular file",
        "pipe.csv cannot be read: not a regular file",
    ]


def test_a_long_log_is_read_in_parts_and_then_only_what_is_new(program):
    reader = program.reader({"from": "log.jsonl"})
    line = '{"epoch": %d, "loss": 0.25, "note": "' + "x" * 400 + '"}\n'
    program.write("log.jsonl", "".join(line % number for number in range(1, 12_001)))
    seen = []
    while not seen or reader.is_behind:
        seen += [row["epoch"] for row in reader.poll()]
    assert seen == list(range(1, 12_001))
    program.write("log.jsonl", line % 12_001)
    before = _bytes_read()
    assert [row["epoch"] for row in reader.poll()] == [12_001]
    assert _bytes_read() - before < 10_000


def test_a_pattern_that_takes_very_long_is_not_used_any_more(program, monkeypatch):
    monkeypatch.setattr(variables, "SLOW_S", 0.0)
    monkeypatch.setattr(variables, "SLOW_LINE_S", 0.0)
    reader = program.reader({"from": "stdout", "pattern": "{name} {value}"})
    program.say("epoch 1\n" * 1000)
    assert len(reader.poll()) == 1
    program.say("epoch 2\n")
    assert reader.poll() == []
    assert reader.take_notes() == ["stdout: its pattern is too slow, it is not read any more"]


def _bytes_read():
    fields = dict(line.split(": ") for line in Path("/proc/self/io").read_text().splitlines())
    return int(fields["rchar"])


@pytest.mark.parametrize(
    "source",
    [
        {"from": ""},
        {"from": 3},
        {"from": "log.csv", "pattern": "{name} {value}"},
        {"from": "stdout", "pattern": "loss"},
        {"from": "stdout", "pattern": "re: (a+)+"},
        {"from": "log.csv", "columns": "loss"},
        {"from": "log.csv", "columns": [3]},
    ],
)
def test_a_wrong_source_is_refused_in_one_line(program, source):
    with pytest.raises(ValueError, match=r"^Received: [^\n]* Expected: [^\n]*\.$"):
        program.reader(source)
