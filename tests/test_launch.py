"""The helper that starts real ranks: it never hangs, leaves nothing behind, and says why it skips."""

from __future__ import annotations

import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from tests import launch

DETACHED = """
import os, subprocess, sys
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], start_new_session=True)
print("rank", os.environ["OMP_NUM_THREADS"], flush=True)
"""


def _script(folder: Path, text: str) -> Path:
    path = folder / "script.py"
    path.write_text(text)
    return path


def test_output_status_and_threads_come_through(tmp_path: Path) -> None:
    script = _script(tmp_path, "import os, sys; print(os.environ['OMP_NUM_THREADS']); sys.exit(3)")
    result = launch.run_ranks(script, 1, "none")
    assert (result.returncode, result.output, result.left_behind) == (3, "1\n", ())
    assert launch.run_ranks(script, 1, "none", env={"OMP_NUM_THREADS": "2"}).output == "2\n"


ENDLESS = "import time; print('sleeping', flush=True); time.sleep(100)"


@pytest.fixture(scope="module")
def endless(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, launch.Result]]:
    """Start ranks that never end under both launchers, side by side: all that they do is wait."""

    def run(launcher: str) -> tuple[Path, launch.Result]:
        script = _script(tmp_path_factory.mktemp(launcher), ENDLESS)
        return script, launch.run_ranks(script, 2, launcher, timeout_s=8)

    launchers = ("mpirun", "horovodrun-gloo")
    with ThreadPoolExecutor() as all_at_once:
        return dict(zip(launchers, all_at_once.map(run, launchers), strict=True))


@pytest.mark.parametrize("launcher", ["mpirun", "horovodrun-gloo"])
def test_ranks_that_never_end_are_killed_and_shown(
    endless: dict[str, tuple[Path, launch.Result]], launcher: str
) -> None:
    script, result = endless[launcher]
    assert result.timed_out
    assert result.returncode == -9
    assert "sleeping" in result.output
    assert "killed after 8 s" in result.output
    assert result.seconds < 30
    assert not _running(script)


def test_a_process_that_outlives_the_launch_is_named_and_killed(tmp_path: Path) -> None:
    started = time.monotonic()
    result = launch.run_ranks(_script(tmp_path, DETACHED), 1, "none")
    assert result.returncode == 0
    assert len(result.left_behind) == 1
    assert not psutil.pid_exists(int(result.left_behind[0].removeprefix("pid ")))
    assert time.monotonic() - started < 30


def test_a_missing_launcher_skips_and_fails_under_ci(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launch, "find_program", lambda name: None)
    monkeypatch.setenv("CI", "")
    with pytest.raises(pytest.skip.Exception, match=r"no mpirun beside .* run ./setup.sh"):
        launch.run_ranks("x.py", 2, "mpirun")
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="nothing is skipped"):
        launch.run_ranks("x.py", 2, "horovodrun-gloo")


def test_an_unknown_launcher_lists_the_known_ones() -> None:
    with pytest.raises(ValueError, match="horovodrun-gloo"):
        launch.run_ranks("x.py", 2, "srun")


def test_programs_are_looked_for_beside_python_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    beside = tmp_path / "mpirun"
    beside.write_text("#!/bin/sh\n")
    beside.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    assert launch.find_program("mpirun") == str(beside)


def _running(script: Path) -> list[int]:
    processes = psutil.process_iter(["cmdline"])
    return [p.pid for p in processes if str(script) in (p.info["cmdline"] or [])]
