"""Elastic training with the real mpirun, also on two machines, which a stand-in for ssh plays; without TensorFlow."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.launch import REPOSITORY, Job, require

pytestmark = pytest.mark.timeout(180)

SCRIPT = REPOSITORY / "tests/elastic/small_script.py"


class Play:
    """An elastic training of the small script, under way."""

    def __init__(
        self, folder: Path, hosts: str, *flags: object, epochs: int = 40, status: int = 0
    ) -> None:
        require("mpirun")
        self.run_dir, self.list = folder / "run", folder / "hosts"
        self.run_dir.mkdir()
        self.list.write_text(hosts)
        agent = folder / "rsh.sh"  # runs here what ssh would run there
        agent.write_text(
            f'#!/bin/sh\nwhile [ "${{1#-}}" != "$1" ]; do shift 2; done\n'
            f'[ -e "{folder}/down-$1" ] && echo "ssh: connect to host $1 port 22: No route to host" >&2 && exit 255\n'
            'shift\nexec sh -c "$*"\n'
        )
        agent.chmod(0o755)
        words = [
            *(REPOSITORY / "scripts/elastic.py", "--hosts-command", f"cat {self.list}"),
            *("--check-every-s", "0.1", "--launcher-flags", f"--mca plm_rsh_agent {agent}"),
            *(*flags, "--", SCRIPT, self.run_dir, epochs, status),
        ]
        self.folder = folder
        self.job = Job([str(word) for word in words], 1, "none")

    def wait_for_start(self, number: int) -> None:
        """Wait until a start trains."""
        log = self.run_dir / "log.txt"
        came = self.job.wait_until(
            lambda: log.exists() and log.read_text().count(" ranks, ") >= number, 60
        )
        assert came, self.job.output

    def end(self) -> tuple[int, str]:
        """Wait for the end; return status and output."""
        result = self.job.wait(90)
        assert result.left_behind == (), result.output
        return result.returncode, result.output

    def events(self, kind: str) -> list[dict[str, Any]]:
        """Return the events of a kind."""
        lines = (self.run_dir / "elastic.jsonl").read_text().splitlines()
        return [event for event in map(json.loads, lines) if event["event"] == kind]

    def hosts(self) -> list[dict[str, int]]:
        """Return the hosts of each start."""
        return [event["hosts"] for event in self.events("start")]


def test_a_killed_rank_is_named_and_left_out(tmp_path: Path) -> None:
    play = Play(tmp_path, "n1:2\nn2:1\n", "--min-ranks", "2", "--cooldown-s", "600")
    play.wait_for_start(1)
    (play.run_dir / "kill-2").touch()
    status, output = play.end()
    assert status == 0, output
    assert play.hosts() == [{"n1": 2, "n2": 1}, {"n1": 2}]
    assert (play.events("end")[0]["rank"], play.events("end")[0]["host"]) == (2, "n2")
    assert "leaving out a slot of n2 for 10 min." in output
    first, second = (play.run_dir / "log.txt").read_text().splitlines()[:2]
    assert first.startswith("3 ranks")
    assert "--resume" not in first
    assert second.endswith("--resume auto")


@pytest.mark.proof
def test_ranks_come_and_go_as_machines_are_listed(tmp_path: Path) -> None:
    play = Play(tmp_path, "n1:1\n", "--cooldown-s", "0", epochs=60)
    play.wait_for_start(1)
    play.list.write_text("n1:1\nn2:2\n")
    play.wait_for_start(2)
    play.list.write_text("n2:2\n")
    status, output = play.end()
    assert status == 0, output
    assert play.hosts() == [{"n1": 1}, {"n1": 1, "n2": 2}, {"n2": 2}]
    assert [event["status"] for event in play.events("end")] == [75, 75, 0]


def test_a_machine_that_cannot_be_reached_is_left_out_and_named(tmp_path: Path) -> None:
    (tmp_path / "down-n2").touch()
    play = Play(tmp_path, "n1:1\nn2:1\n", "--cooldown-s", "600", epochs=10)
    status, output = play.end()
    assert status == 0, output
    assert play.hosts() == [{"n1": 1, "n2": 1}, {"n1": 1}]
    assert "leaving out n2 for 10 min: it cannot be used." in output
    assert "ssh: connect to host n2 port 22: No route to host" in play.events("end")[0]["reason"]


@pytest.mark.proof
@pytest.mark.parametrize("status", [2, 4])
def test_the_status_of_the_script_passes_through(tmp_path: Path, status: int) -> None:
    play = Play(tmp_path, "localhost:2\n", epochs=1, status=status)
    assert play.end()[0] == status
    assert len(play.hosts()) == 1


@pytest.mark.parametrize(
    "number", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.proof)]
)
def test_a_signal_stops_with_a_checkpoint(tmp_path: Path, number: int) -> None:
    play = Play(tmp_path, "localhost:2\n", epochs=500)
    play.wait_for_start(1)
    play.job.process.send_signal(number)
    status, output = play.end()
    assert status == 75, output
    assert "elastic: ended with status 75, stopped by a signal" in output


@pytest.mark.proof
def test_the_job_stops_when_elastic_itself_is_killed(tmp_path: Path) -> None:
    play = Play(tmp_path, "localhost:2\n", epochs=500)
    play.wait_for_start(1)
    ranks = psutil.Process(play.job.process.pid).children(recursive=True)
    play.job.process.kill()
    _, alive = psutil.wait_procs(ranks, timeout=20)
    assert alive == []
    play.end()
    assert "Stopped by SIGUSR1" in (play.run_dir / "log.txt").read_text()
