"""Asynchronous training on a real Ray, on loopback: deaths, joins, tokens, stops, and modes that follow."""

from __future__ import annotations

import json
import os
import random
import signal
import statistics
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from tests.asynchronous.ray_runs import (
    check_every_sample,
    left_of,
    ray_run,
    replayed,
    token_in,
)
from tests.launch import REPOSITORY

pytest.importorskip("ray")
COUNT = ("--data-option", "count=240", "classes=3")  # 216 samples to train: 54 leases
LONG = ("--data-option", "count=1600", "classes=3")  # 1,440: 360 leases


def test_a_killed_worker_is_named_and_every_sample_is_applied_once(tmp_path: Path) -> None:
    flags = (*COUNT, "--epochs", "2", "--workers", "2")
    with ray_run(tmp_path / "run", *flags, DDL_WORKER_SLEEP_S="0.01") as run:
        run.wait(lambda: (run.folder / "ray" / "token").is_file())
        token = run.folder / "ray" / "token"
        assert token.stat().st_mode & 0o777 == 0o600
        secret = token.read_text()
        victim = int(run.wait_for_updates(3)[0]["worker"].rpartition(":")[2])
        os.kill(victim, signal.SIGKILL)
        assert run.ends() == 0, run.text
        assert f"(process {victim}) died: " in run.text
        assert left_of(run) == []
    check_every_sample(run, epochs=2, per_epoch=54)
    assert not token.exists()
    written = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    assert not any(secret.encode() in text for text in written)
    last = run.history()[-1]
    assert {"staleness_mean", "staleness_max", "dropped", "lost", "workers"} <= set(last)
    assert last["val_loss"] < run.history()[0]["loss"]


@pytest.mark.proof
@pytest.mark.alone
@pytest.mark.timeout(900)
def test_five_deaths_in_three_epochs_lose_nothing_and_little_time(tmp_path: Path) -> None:
    flags = (*LONG, "--epochs", "3", "--workers", "3")
    draw = random.Random(1)
    with ray_run(tmp_path / "run", *flags, DDL_WORKER_SLEEP_S="0.05") as run:
        run.wait_for_updates(20)
        gaps = []
        for _ in range(5):
            run.wait(lambda: len(run.workers()) >= 2)
            before = len(run.updates())
            os.kill(draw.choice(run.workers()), signal.SIGKILL)
            begin = time.monotonic()
            run.wait_for_updates(before + 2)
            gaps.append(time.monotonic() - begin)
            time.sleep(draw.uniform(1, 4))
        assert run.ends(500) == 0, run.text
        assert left_of(run) == []
    check_every_sample(run, epochs=3, per_epoch=360)
    assert statistics.median(gaps) < 2, gaps
    replayed(run.folder)


@pytest.mark.proof
@pytest.mark.timeout(900)
def test_a_stopped_worker_that_goes_on_with_an_old_lease_changes_nothing(tmp_path: Path) -> None:
    flags = (*LONG, "--epochs", "2", "--workers", "2", "--lease-timeout-s", "3")
    with ray_run(tmp_path / "run", *flags, DDL_WORKER_SLEEP_S="0.02") as run:
        stopped = run.wait(lambda: run.workers() if len(run.workers()) > 1 else None)[0]
        os.kill(stopped, signal.SIGSTOP)
        time.sleep(8)
        os.kill(stopped, signal.SIGCONT)
        assert run.ends(500) == 0, run.text
    check_every_sample(run, epochs=2, per_epoch=360)
    assert sum(epoch["expired"] for epoch in run.history()) >= 1
    replayed(run.folder)


@pytest.mark.proof
@pytest.mark.timeout(900)
def test_a_killed_server_comes_back_by_itself(tmp_path: Path) -> None:
    flags = (*LONG, "--epochs", "2", "--workers", "2")
    with ray_run(tmp_path / "run", *flags, DDL_WORKER_SLEEP_S="0.01") as run:
        run.wait_for_updates(400)  # in the second epoch
        os.kill(run.server(), signal.SIGKILL)
        assert run.ends(500) == 0, run.text
        assert "Another one goes on from step 0 of epoch 2" in run.text
    check_every_sample(run, epochs=2, per_epoch=360)
    assert (run.folder / "updates_lost.jsonl").is_file()
    replayed(run.folder)


@pytest.mark.proof
@pytest.mark.timeout(900)
def test_a_worker_joins_and_leaves_and_the_run_stops_and_goes_on_in_another_mode(
    tmp_path: Path,
) -> None:
    flags = (*LONG, "--epochs", "2", "--workers", "1")
    with ray_run(tmp_path / "run", *flags, DDL_WORKER_SLEEP_S="0.05") as run:
        run.wait_for_updates(2)
        command = [sys.executable, "scripts/join.py", str(run.folder)]
        joined = subprocess.Popen(
            command, cwd=REPOSITORY, stderr=subprocess.PIPE, text=True, start_new_session=True
        )
        run.wait(lambda: len({update["worker"] for update in run.updates()}) > 1)
        assert "has joined." in run.text
        joined.send_signal(signal.SIGINT)
        assert "Stopped by Ctrl-C" in joined.communicate(timeout=60)[1].replace(
            "stopped", "Stopped"
        )
        run.wait(lambda: " died: " in run.text or " has left: " in run.text)
        os.killpg(run.process.pid, signal.SIGINT)  # as a terminal does: Ray's processes get it, too
        assert run.ends() == 75, run.text
        assert left_of(run) == []
    done = len(run.updates())
    assert 0 < done < 720
    replayed(run.folder)
    result = subprocess.run(
        [
            *(sys.executable, "scripts/train_cnn.py", "--run-dir", str(run.folder)),
            *("--resume", "auto", "--parallel", "sync", "--epochs", "2"),
        ],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.proof
@pytest.mark.timeout(300)
def test_nothing_stays_behind_when_the_run_itself_is_killed(tmp_path: Path) -> None:
    with ray_run(tmp_path / "run", *LONG, "--epochs", "2", "--workers", "2") as run:
        run.wait_for_updates(2)
        processes = psutil.Process(run.process.pid).children(recursive=True)
        run.process.send_signal(signal.SIGKILL)
        run.process.wait()
        _, alive = psutil.wait_procs(processes, timeout=90)
        assert alive == []
        assert left_of(run) == []


@pytest.mark.proof
@pytest.mark.timeout(900)
def test_a_node_that_is_added_gets_a_worker_and_needs_the_token(tmp_path: Path) -> None:
    ray = str(Path(sys.executable).with_name("ray"))
    start = [ray, "start", "--num-cpus=1", "--disable-usage-stats"]
    flags = (*LONG, "--epochs", "3", "--workers", "1")
    with ray_run(tmp_path / "run", *flags, DDL_WORKER_SLEEP_S="0.05") as run:
        run.wait_for_updates(2)
        address = json.loads((run.folder / "ray/cluster.json").read_text())["address"]
        token = run.folder / "ray" / "token"
        wrong = tmp_path / "wrong"
        wrong.write_text("0" * 64)
        wrong.chmod(0o600)
        for path, arrives in ((wrong, False), (token, True)):
            environment = os.environ | {
                "RAY_AUTH_MODE": "token",
                "RAY_AUTH_TOKEN_PATH": str(path),
                "TMPDIR": str(tmp_path),
            }
            node = subprocess.Popen(
                [*start, f"--address={address}", "--block"],
                env=environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                start_new_session=True,
            )
            if not arrives:
                told = node.communicate(timeout=120)[0]
                assert node.returncode != 0, told
                assert token_in(told) is None
                continue
            try:
                run.wait(lambda: "Node " in run.text and " gets 1 worker" in run.text)
                run.wait(lambda: len({update["worker"] for update in run.updates()}) > 1)
            finally:
                os.killpg(node.pid, signal.SIGTERM)
                node.communicate(timeout=60)
        assert run.ends(500) == 0, run.text
    check_every_sample(run, epochs=3, per_epoch=360)


def seconds_to(loss: float, history: list[dict[str, float]]) -> float:
    """Return the seconds after which an epoch had this validation loss."""
    spent = 0.0
    for epoch in history:
        spent += epoch["seconds"]
        if epoch["val_loss"] <= loss:
            return spent
    return float("inf")


@pytest.mark.proof
@pytest.mark.timeout(900)
def test_four_workers_learn_what_one_does(tmp_path: Path) -> None:
    losses = {}
    for workers in (1, 4):
        size = ("--per-rank-batch-size", str(16 // workers), "--learning-rate-scaling", "none")
        flags = (*LONG, "--epochs", "3", "--workers", str(workers), "--min-workers", str(workers))
        with ray_run(tmp_path / str(workers), *flags, *size) as run:
            assert run.ends(400) == 0, run.text
        losses[workers] = run.history()[-1]["loss"]
        replayed(run.folder)
    assert losses[4] <= 1.1 * losses[1] + 0.005, losses


@pytest.mark.proof
@pytest.mark.alone
@pytest.mark.timeout(900)
def test_one_slow_worker_of_four_does_not_slow_the_others(tmp_path: Path) -> None:
    # A sleep stands for computing, so that two cores can carry four workers: 0.2 s a lease, and 1 s for the slow one.
    # In sync training each of the 90 steps would wait for that one: 1 s a step.
    rate = ("--learning-rate-scaling", "none", "--epochs", "4")
    sync = ("--parallel", "sync", "--per-rank-batch-size", "16")
    with ray_run(tmp_path / "sync", *LONG, *rate, *sync) as run:
        assert run.ends() == 0, run.text
        final = run.history()[-1]["val_loss"]
    flags = (*LONG, *rate, "--workers", "4", "--min-workers", "4", "--epochs", "5")
    with ray_run(tmp_path / "run", *flags, DDL_WORKER_SLEEPS_S="0.25,0.05,0.05,0.05") as run:
        assert run.ends(600) == 0, run.text
    check_every_sample(run, epochs=5, per_epoch=360)
    taken = seconds_to(final, run.history())
    assert taken <= 0.45 * 4 * 90 * 1.0, (taken, final, run.history())
