"""The doctor names each problem and its remedy; its exit status says whether training works."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

from ddl.doctor import __main__ as doctor
from ddl.doctor import allreduce, checks, facts, waiting
from ddl.doctor.waiting import waiting_for
from ddl.progress import StatusLine

HEALTHY = {
    "versions": {"ddl": "0.1.0", "tensorflow-cpu": "2.21.0"},
    "horovod": {"mpi": True, "gloo": True, "nccl": False, "gpus": []},
    "built_for": {"tensorflow": {"version": "2.21.0"}},
    "mpi": {"mpirun": "/usr/bin/mpirun"},
    "gpus": [],
}


def failures(**changes):
    return [check for check in checks.of_facts({**HEALTHY, **changes}) if not check.ok]


@pytest.mark.ranks
def test_two_ranks_reduce_to_the_right_values():
    found = allreduce.check("gloo")
    assert set(found) >= {"mb_per_s", "device"}, found


@pytest.mark.proof
@pytest.mark.ranks
def test_this_machine_can_train():
    """Starts two real ranks, with MPI and with Gloo; the other multi-rank tests depend on this."""
    command = [sys.executable, "-m", "ddl.doctor", "--json"]
    env = {**os.environ, "OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
    result = subprocess.run(
        command, env=env, capture_output=True, text=True, timeout=280, check=False
    )
    assert result.returncode == 0, result.stdout + result.stderr
    report = json.loads(result.stdout)
    assert report["works"]
    found = {check["name"]: check["finding"] for check in report["checks"]}
    assert "correct on" in found["all-reduce of 2 ranks, MPI"]
    assert "16 MiB" in found["all-reduce of 2 ranks, GLOO"]


def test_a_healthy_machine_has_no_failures():
    assert failures() == []


def test_a_broken_import_is_the_only_finding():
    (failure,) = failures(horovod={"error": "ImportError: libmpi.so.40: cannot open"})
    assert "libmpi.so.40" in failure.finding
    assert "setup.sh" in failure.remedy


def test_a_horovod_of_another_tensorflow_is_found():
    (failure,) = failures(versions={"tensorflow": "2.22.0"})
    assert failure.finding == "built for 2.21.0, installed 2.22.0"


def test_a_missing_mpirun_is_found():
    (failure,) = failures(mpi={})
    assert "MPI module" in failure.remedy


def test_unused_gpus_are_found_unless_hidden_on_purpose(monkeypatch):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.delenv("DDL_ACCELERATOR", raising=False)
    (failure,) = failures(gpus=["NVIDIA A100"])
    assert "DDL_ACCELERATOR=gpu ./setup.sh" in failure.remedy
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")
    assert failures(gpus=["NVIDIA A100"]) == []


def test_a_failure_is_shown_with_its_remedy():
    text = "\n".join(doctor.verdict([checks.Check("MPI", False, "nothing", "load it")]))
    assert "FAILED  MPI: nothing\n        -> load it" in text
    assert "does not work here" in text


@pytest.mark.parametrize("controller", ["mpi", "gloo"])
def test_a_wrong_launch_is_reported_and_not_raised(monkeypatch, controller):
    monkeypatch.setattr(allreduce, "run_bounded", lambda *_: (7, "ssh: no route\n"))
    assert "exit status 7" in allreduce.check(controller)["error"]


def test_the_doctor_says_what_it_waits_for_and_how_long_at_most(monkeypatch, capsys):
    monkeypatch.setattr(waiting, "StatusLine", lambda: StatusLine(log_every_s=0.2))
    with waiting_for("a cold disk", 180):
        time.sleep(1.1)
    first, *later = capsys.readouterr().err.splitlines()
    assert first == "doctor: a cold disk: 0 s of at most 180 s"
    assert "doctor: a cold disk: 1 s of at most 180 s" in later


def test_every_wait_of_the_doctor_is_announced_and_its_report_alone_is_printed(monkeypatch, capsys):
    monkeypatch.setattr(facts, "collect", lambda: HEALTHY)
    monkeypatch.setattr(allreduce, "check", lambda _: {"mb_per_s": {}, "device": "CPU"})
    assert doctor.main(["--json"]) == 0
    printed = capsys.readouterr()
    assert json.loads(printed.out)["works"]
    assert printed.err.splitlines() == [
        "doctor: importing TensorFlow and Horovod: 0 s of at most 180 s",
        "doctor: all-reduce of 2 ranks, MPI: 0 s of at most 120 s",
        "doctor: all-reduce of 2 ranks, GLOO: 0 s of at most 120 s",
    ]


def test_ctrl_c_ends_the_ranks_of_a_check():
    start = "from ddl.doctor import allreduce; import os; allreduce.run_bounded(['sleep', '60'], dict(os.environ), 60)"
    with subprocess.Popen([sys.executable, "-c", start], stderr=subprocess.DEVNULL) as process:
        process_of = psutil.Process(process.pid)
        until = time.monotonic() + 30
        while not (ranks := process_of.children()):
            assert time.monotonic() < until
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
    assert psutil.wait_procs(ranks, timeout=5)[1] == []


def test_a_check_that_hangs_is_ended():
    start_s = time.monotonic()
    status, _ = allreduce.run_bounded(["sh", "-c", "sleep 60"], dict(os.environ), 0.5)
    assert status is None
    assert time.monotonic() - start_s < 20


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_commands_end_with_the_process_that_started_them(number, tmp_path):
    """As `scripts/benchmark.py` and its mpirun do, in a session of their own."""
    started = tmp_path / "pid"
    program = (
        "import os\n"
        "from ddl.doctor.allreduce import run_bounded\n"
        f"run_bounded(['sh', '-c', 'echo $$ > {started}.new; mv {started}.new {started}; exec sleep 100'],"
        " dict(os.environ), 100)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", program], stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 30
    while not started.exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    child = psutil.Process(int(started.read_text()))
    process.send_signal(number)
    assert process.wait(20) in (-number, 1)
    psutil.wait_procs([child], timeout=10)
    assert not child.is_running() or child.status() == psutil.STATUS_ZOMBIE
