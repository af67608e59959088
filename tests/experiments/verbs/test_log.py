"""`log`: the output of an experiment, of any size, followed over its attempts."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from ddl.experiments.terminal.tail import Follower, last_lines
from tests.experiments.made_store import MadeStore
from tests.experiments.verbs.run import run_verb

REPOSITORY = Path(__file__).resolve().parents[3]


@pytest.fixture
def made(tmp_path):
    """Return a store with an experiment that crashed once and runs."""
    made = MadeStore(tmp_path / "store")
    folder = made.plain({})
    made.want(folder)
    first = made.attempt(folder, "crashed")
    first.out_log.write_text("first attempt\n")
    second = made.attempt(folder, "running", reason="crash")
    second.out_log.write_text("".join(f"line {n}\n" for n in range(300)))
    second.err_log.write_text("warning\n")
    return made


def folder_of(made):
    return made.view().experiments[0].folder


def log(made, capsys, *words):
    return run_verb(capsys, "log", "1", "--store", made.path, *words)


def test_the_end_of_the_newest_attempt_is_printed(made, capsys):
    done = log(made, capsys)
    assert done.lines == [f"line {n}" for n in range(200, 300)]
    assert done.status == 0


def test_as_many_lines_as_wanted(made, capsys):
    assert log(made, capsys, "--lines", "2").lines == ["line 298", "line 299"]
    assert len(log(made, capsys, "--lines", "0").lines) == 300
    assert len(log(made, capsys, "--lines", "1000").lines) == 300


def test_errors_and_earlier_attempts(made, capsys):
    assert log(made, capsys, "--err").lines == ["warning"]
    assert log(made, capsys, "--attempt", "1").lines == ["first attempt"]


def test_an_attempt_without_output_is_said(made, capsys):
    done = log(made, capsys, "--err", "--attempt", "1")
    assert (done.out, done.status) == ("", 0)
    assert "attempt 1 on here has written nothing to err.log." in done.err


def test_the_newest_attempt_that_has_written_something_is_meant(made, capsys):
    made.attempt(folder_of(made), "waiting")
    assert log(made, capsys, "--lines", "1").lines == ["line 299"]


def test_an_experiment_that_has_not_begun_is_said(tmp_path, capsys):
    made = MadeStore(tmp_path / "store")
    made.plain({})
    assert "001-base has no output yet; it is planned." in log(made, capsys).err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--attempt", "3"), "Expected: one of 1, 2."),
        (("--lines", "-1"), "at least 0"),
        (("-f", "--attempt", "1"), "Received: follow with attempt"),
        (("-f", "--json"), "Received: follow with json"),
        (("--lines", "many"), "a whole number"),
    ],
)
def test_bad_flags_are_one_line(made, capsys, words, message):
    done = log(made, capsys, *words)
    assert (done.status, done.err.count("\n"), message in done.err) == (2, 1, True)


def test_json(made, capsys):
    found = log(made, capsys, "--json", "--lines", "1").json
    assert found == {"name": "001-base", "state": "running", "attempt": 2, "lines": ["line 299"]}


def test_what_a_terminal_would_obey_is_escaped(made, capsys):
    path = folder_of(made).attempt(2).out_log
    path.write_bytes(b"\x1b[2Jgone\n 10%\r 50%\r100%\r\n\xff\tend\n")
    assert log(made, capsys).lines == ["\\x1b[2Jgone", "100%", "\ufffd    end"]


def test_a_log_of_1_gb_is_read_at_its_end(made, capsys):
    path = folder_of(made).attempt(2).out_log
    with path.open("wb") as file:
        file.truncate(1 << 30)
        file.seek(0, 2)
        file.write(b"\nalmost last\nlast\nunfinished")
    start_s = time.perf_counter()
    assert log(made, capsys, "--lines", "2").lines == ["last", "unfinished"]
    assert time.perf_counter() - start_s < 1


def test_a_line_without_an_end_is_cut_and_not_read_whole(tmp_path):
    path = tmp_path / "log"
    with path.open("wb") as file:
        file.truncate(1 << 30)
    (line,), position = last_lines(path, 3)
    assert (line.endswith("… (8388608 characters)"), position) == (True, 1 << 30)


@pytest.mark.parametrize("size", [1, 100, 65_535, 65_536, 65_537, 200_000])
def test_last_lines_are_exact_at_every_block(tmp_path, size):
    path = tmp_path / "log"
    lines = [f"{n} {'x' * (n % 50)}" for n in range(size // 30 + 1)]
    path.write_text("".join(f"{line}\n" for line in lines))
    for count in (1, 2, 7, 5000):
        assert last_lines(path, count) == (lines[-count:], path.stat().st_size)


def test_an_unfinished_line_is_in_the_end_of_a_log(tmp_path):
    path = tmp_path / "log"
    path.write_text("one\ntwo\nthr")
    assert last_lines(path, 1) == (["thr"], 11)
    assert last_lines(path, 2) == (["two", "thr"], 11)
    assert last_lines(path, 2, whole=True) == (["two"], 8)


def test_an_unfinished_line_waits_for_its_end(tmp_path):
    path = tmp_path / "log"
    follower = Follower(path)
    assert follower.poll() == []
    path.write_text("one\ntw")
    assert follower.poll() == ["one"]
    with path.open("a") as file:
        file.write("o\n")
    assert follower.poll() == ["two"]
    with path.open("a") as file:
        file.write("thr")
    assert follower.poll(at_end=True) == ["thr"]


def test_a_log_that_was_replaced_or_cut_is_read_anew(tmp_path):
    path = tmp_path / "log"
    path.write_text("one\ntwo\n")
    follower = Follower(path)
    follower.poll()
    path.write_text("new\n")
    assert follower.poll() == ["new"]
    (tmp_path / "other").write_text("other file\n")
    (tmp_path / "other").replace(path)
    assert follower.poll() == ["other file"]


def start_following(made) -> tuple[subprocess.Popen[str], list[str], threading.Thread]:
    command = [sys.executable, "scripts/experiments.py", "log", "1", "-f", "--lines", "1"]
    command += ["--store", str(made.path)]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=REPOSITORY
    )
    lines: list[str] = []
    reader = threading.Thread(target=lambda: lines.extend(line.rstrip() for line in process.stdout))
    reader.start()
    return process, lines, reader


def wait_for(lines: list[str], text: str) -> None:
    deadline = time.monotonic() + 30
    while text not in lines:
        assert time.monotonic() < deadline, (text, lines)
        time.sleep(0.02)


def test_following_goes_on_with_the_next_attempt_and_ends_with_the_experiment(made):
    folder = folder_of(made)
    process, lines, reader = start_following(made)
    try:
        wait_for(lines, "line 299")
        with folder.attempt(2).out_log.open("a") as file:
            file.write("line 300\nlast words")
        wait_for(lines, "line 300")
        made.end(folder.attempt(2), "continue")
        third = made.attempt(folder, "running", reason="time limit")
        third.out_log.write_text("third begins\n")
        wait_for(lines, "third begins")
        made.end(third, "finished")
        assert process.wait(30) == 0
        reader.join(10)
        assert lines == [
            "-- attempt 2 on here (after crash)",
            "line 299",
            "line 300",
            "last words",
            "-- attempt 3 on here (after time limit)",
            "third begins",
        ]
        assert process.stderr.read() == "-- 001-base: finished\n"
    finally:
        process.kill()
        process.communicate()
        reader.join(10)


def test_following_ends_when_nobody_reads_any_more(made):
    command = [
        sys.executable,
        "scripts/experiments.py",
        "log",
        "1",
        "-f",
        "--store",
        str(made.path),
    ]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd=REPOSITORY
    )
    try:
        process.stdout.readline()
        process.stdout.close()
        with folder_of(made).attempt(2).out_log.open("a") as file:
            file.write("more\n" * 10)
        assert process.wait(30) == 1  # as every command whose output is lost
    finally:
        process.kill()
        process.wait()
