"""A store is read as it is: quickly, without a write or a process, also where parts of it are damaged."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ddl.experiments.agent.hand.made import begin, make_experiment
from ddl.experiments.spec.records import Run
from ddl.experiments.store import view as views
from ddl.experiments.store.files import Files
from ddl.experiments.store.view import read_view
from tests.experiments.made_store import MadeStore, large_store, write

REPOSITORY = Path(__file__).resolve().parents[3]


@pytest.fixture
def made(tmp_path):
    """Return a store at a time that stands still."""
    return MadeStore(tmp_path / "store", now=1_800_000_000.0)


def only(made):
    (found,) = made.view().experiments
    return found


def test_a_running_experiment_tells_where_and_how_far_it_is(made):
    made.experiment("running", {"lr": 0.1, "epochs": 50}, epoch=12, node="gpu1")
    found = only(made)
    assert (found.node, found.epoch, found.epochs) == ("gpu1", 12, 50)
    assert found.last["val_dice"] == 1 - 1 / 13
    assert found.attempt.name == f"ddl-{made.store.id}-001-a1"


def test_the_age_of_news_is_that_of_the_newest_sign(made):
    made.experiment("running")
    assert only(made).seen_age_s == 5
    made.seen("here", age_s=2)
    assert only(made).seen_age_s == 2


def test_a_node_that_did_not_answer_is_no_sign(made):
    made.experiment("running", node="away")
    made.seen("away", reachable=False, age_s=2)
    assert only(made).seen_age_s == 5


def test_what_has_ended_has_no_age(made):
    made.experiment("finished")
    assert only(made).seen_age_s is None


def test_an_unreachable_node_makes_unknown_with_the_age_of_what_sync_saw(made):
    made.experiment("unknown")
    found = only(made)
    assert (found.state, found.since) == ("unknown", made.now - 300)
    assert found.seen_age_s == 400
    assert "was running" in found.why


def test_findings_are_counted_over_attempts(made):
    folder = made.experiment("running")
    folder.attempt(1).findings.write_text('{"rule": "a"}\n{"rule": "b"}\n{"torn')
    assert only(made).findings_count == 2


def test_the_node_that_the_user_chose_shows_before_an_attempt(made):
    folder = made.plain(node="group")
    assert only(made).node == "group"
    made.want(folder, node="gpu2")
    assert only(made).node == "gpu2"


def test_a_damaged_experiment_is_named_and_the_others_are_read(made):
    made.experiment("running")
    made.experiment("failed").experiment.write_text("{")
    made.experiment("planned").experiment.write_text('{"format": 9}')
    (made.path / "007-empty").mkdir()
    view = made.view()
    assert [item.number for item in view.experiments] == [1]
    assert list(view.damaged) == ["002-seed2", "003-seed3", "007-empty"]
    assert "format 9" in view.damaged["003-seed3"]


@pytest.mark.parametrize(
    "name", ["wanted.json", "history.json", "attempts/1/status.json", "attempts/1/intent.json"]
)
@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", '{"rows": 3, "want": [], "name": {}}', "[" * 5000]
)
def test_damaged_files_of_an_experiment_do_not_stop_the_others(made, name, text):
    folder = made.experiment("finished", epoch=2)
    (folder.path / name).write_text(text)
    assert len(made.view().experiments) == 1


def test_files_that_are_no_files_do_not_hang(made):
    folder = made.experiment("running")
    folder.attempt(1).heartbeat.unlink()
    os.mkfifo(folder.attempt(1).heartbeat)
    os.mkfifo(folder.history)
    folder.wanted.unlink()
    folder.wanted.mkdir()
    assert only(made).state == "running"


def test_the_last_row_is_found_at_the_end_of_a_long_history(made):
    folder = made.experiment("running")
    made.history(folder, [{"epoch": n, "loss": 1 / (n + 1)} for n in range(5000)])
    assert only(made).last == {"epoch": 4999, "loss": 1 / 5000}


@pytest.mark.parametrize("indent", [None, 1, 2])
def test_the_last_row_is_found_however_it_is_written(made, indent):
    folder = made.experiment("running")
    rows = [{"epoch": 1, "note": "] } {"}, {"epoch": 2, "note": "a {b} [c] \\"}]
    value = {"format": 1, "variables": [], "rows": rows, "updated": {"epoch": 7}}
    folder.history.write_text(json.dumps(value, indent=indent))
    assert only(made).last == rows[-1]


def test_an_empty_history_has_no_last_row(made):
    made.history(made.experiment("running"), [])
    assert (only(made).last, only(made).epoch) == ({}, None)


def test_epochs_come_from_the_command_where_no_parameter_says_them(made):
    made.plain({}, argv=("python", "t.py", "--epochs", "7"))
    made.plain({}, argv=("python", "t.py", "--num-epochs=8"))
    made.plain({}, run=Run(argv=("python t.py --epochs 9 > x",), shell=True))
    made.plain({}, argv=("python", "t.py", "--epochs"))
    assert [item.epochs for item in made.view().experiments] == [7, 8, 9, None]


def test_files_are_read_again_only_when_they_have_changed(made, monkeypatch):
    folder = made.experiment("running", epoch=3)
    files = Files()
    first = read_view(made.path, made.now, files).experiments[0]
    parsed = []
    original = views.last_row
    monkeypatch.setattr(views, "last_row", lambda *a: parsed.append(1) or original(*a))
    second = read_view(made.path, made.now, files).experiments[0]
    assert second.record is first.record
    assert parsed == []
    made.epochs(folder, 4)
    assert read_view(made.path, made.now, files).experiments[0].epoch == 4


def test_a_store_that_is_taken_away_while_it_is_watched_is_an_error(made):
    files = Files()
    read_view(made.path, made.now, files)
    shutil.rmtree(made.path)
    with pytest.raises(ValueError, match="no folder"):
        read_view(made.path, made.now, files)


def test_names_of_strangers_in_the_store_are_no_experiments(made):
    write(made.path / "notes/x.json", {})
    (made.path / "12").mkdir()
    (made.path / "experiments.csv").write_text("")
    assert made.view().experiments == ()


def test_a_script_that_was_submitted_by_hand_is_an_experiment(tmp_path):
    folder = make_experiment(tmp_path / "store", "trial", {"lr": 0.1})
    attempt = begin(folder, os.getpid())
    (found,) = read_view(tmp_path / "store").experiments
    assert (found.name, found.state, found.node) == ("001-trial", "running", "here")
    write(folder.history, {"rows": [{"epoch": 1, "loss": 1.0, "time": 2e9}]})
    assert read_view(tmp_path / "store", 2e9 + 7).experiments[0].seen_age_s == 7
    write(attempt.status, {"outcome": "finished", "ended": 1.0, "attempt": 1})
    assert read_view(tmp_path / "store").experiments[0].state == "finished"


PROGRAM = """
import os, sys, time
bad = []
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_TRUNC
def hook(event, arguments):
    if event == "open" and isinstance(arguments[2], int) and arguments[2] & WRITES:
        if str(arguments[0]) != os.devnull:
            bad.append((event, str(arguments[0])))
    elif event in ("subprocess.Popen", "os.fork", "os.posix_spawn", "os.exec", "os.system", "os.rename",
                   "os.remove", "os.mkdir", "os.rmdir", "os.link", "os.symlink", "os.chmod", "os.utime",
                   "os.truncate", "socket.connect", "socket.bind"):
        bad.append((event, str(arguments)[:200]))
sys.dont_write_bytecode = True
sys.addaudithook(hook)
start = time.perf_counter()
from ddl.experiments.command import main
status = main("doc", sys.argv[1:])
seconds = time.perf_counter() - start
if os.getloadavg()[0] > os.cpu_count():  # others use the cores: its own work is what it would take alone
    seconds = time.process_time()
# Not ru_maxrss: a process inherits that of the one that forked it, which here is all of the tests.
peak_kib = next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM"))
print("MEASURED", status, seconds, int(peak_kib) // 1024, bad)
"""


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    """Return a store of 1,000 experiments, 200 of them running, one node unreachable."""
    made = large_store(tmp_path_factory.mktemp("large") / "store", 1000, 200)
    made.experiment("unknown")
    return made


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """Return a store of some experiments in all states."""
    return large_store(tmp_path_factory.mktemp("small") / "store", 40, 10)


def measured(large, *words: str) -> tuple[str, int, float, int, str]:
    command = [sys.executable, "-c", PROGRAM, *words, "--store", str(large.path)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=REPOSITORY, timeout=60)
    text, _, line = done.stdout.rpartition("MEASURED ")
    assert line, done.stderr
    status, seconds, mebibytes, bad = line.split(maxsplit=3)
    return text, int(status), float(seconds), int(mebibytes), bad.strip()


@pytest.mark.alone
def test_the_status_of_1000_takes_under_1_s_and_100_mib(large):
    found = [measured(large, "status") for _ in range(3)]
    assert min(seconds for _, _, seconds, _, _ in found) < 1
    assert max(mebibytes for _, _, _, mebibytes, _ in found) < 100
    assert "200 running" in found[0][0]
    assert "1 unknown" in found[0][0]
    assert found[0][4] == "[]"


@pytest.mark.parametrize(
    "words",
    [
        ("status",),
        ("status", "--json"),
        ("show", "1"),
        ("table",),
        ("table", "--csv"),
        ("log", "1"),
        ("watch", "state=finished"),
    ],
    ids=" ".join,
)
def test_looking_writes_nothing_and_starts_no_process(small, words):
    _, status, _, _, bad = measured(small, *words)
    assert (status in (0, 3), bad) == (True, "[]")


@pytest.mark.skipif(not shutil.which("strace"), reason="strace is not installed")
def test_strace_sees_no_write_to_the_store_and_no_process(made, tmp_path):
    """The audit hook cannot see what C code does."""
    made.all_states()
    log = tmp_path / "trace"
    calls = "open openat creat rename renameat renameat2 unlink unlinkat mkdir mkdirat link linkat fork vfork execve"
    traced = f"trace={calls.replace(' ', ',')}"
    command = ["strace", "-f", "-e", traced, "-o", str(log), sys.executable, "-B"]
    command += ["scripts/experiments.py", "status", "--store", str(made.path)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=REPOSITORY, timeout=120)
    if "ptrace" in done.stderr:
        pytest.skip("strace may not trace here")
    lines = log.read_text().splitlines()
    assert any("experiment.json" in line for line in lines)
    writes = (
        "O_WRONLY",
        "O_RDWR",
        "O_CREAT",
        "rename",
        "unlink",
        "mkdir",
        "link(",
        "linkat",
        "fork",
    )
    changes = [line for line in lines if any(word in line for word in writes)]
    assert [line for line in changes if "/dev/null" not in line and "ENOENT" not in line] == []
    assert len([line for line in lines if "execve(" in line]) == 1
