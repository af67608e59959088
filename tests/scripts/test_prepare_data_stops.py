"""Killed, interrupted, spoiled, out of disk: prepare_data resumes and writes the same bytes."""

from __future__ import annotations

import os
import re
import resource
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from tests.data import make
from tests.scripts.prepare_runs import prepare_here, run, start


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return 24 pictures that make 3 parts at 512 x 512."""
    return make.pairs(tmp_path_factory.mktemp("many") / "in", 24, height=512, width=512)


@pytest.fixture(scope="module")
def uninterrupted(pictures: Path) -> bytes:
    output = pictures.parent / "whole.h5"
    assert run(pictures, output, "--image-size", "512").returncode == 0
    return output.read_bytes()


def test_killed_at_any_moment_it_goes_on_to_the_same_bytes(tmp_path: Path, pictures: Path) -> None:
    options = ["--image-size", "512", "--compression", "gzip", "--workers", "2"]
    prepare_here(pictures, tmp_path / "whole.h5", *options)
    output, parts = tmp_path / "a.h5", tmp_path / ".a.h5.parts"
    kept = 0
    moments: Iterator[Callable[[], bool]] = iter(
        [
            lambda: bool(list(parts.glob("*.tmp"))),  # as a part is written
            lambda: len(list(parts.glob("*.npz"))) > 0,
            lambda: len(list(parts.glob("*.npz"))) > 1,
            lambda: (parts / "assembled.h5").exists(),  # as the file is put together
        ]
    )
    for moment in moments:
        process = start(pictures, output, *options)
        workers = kill_at(process, moment)
        assert not output.exists()
        _, alive = psutil.wait_procs(workers, timeout=5)
        assert alive == []  # no orphan goes on writing
        _, err = process.communicate()
        started = re.match(r"pictures: (\d+) of 24", err)
        assert started is None or int(started[1]) >= kept
        kept = 8 * len(list(parts.glob("*.npz")))
    assert kept == 24
    result = run(pictures, output, *options)
    assert result.returncode == 0, result.stderr
    assert result.stderr.startswith("pictures: 24 of 24\n")
    assert output.read_bytes() == (tmp_path / "whole.h5").read_bytes()
    assert not parts.exists()


def kill_at(process: subprocess.Popen[str], moment: Callable[[], bool]) -> list[psutil.Process]:
    """Kill a process with signal 9 once `moment` has come. Return its children."""
    deadline = time.monotonic() + 30
    while not moment():
        assert process.poll() is None, "it ended before the moment came"
        assert time.monotonic() < deadline
        time.sleep(0.0005)
    children = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(signal.SIGKILL)
    process.wait()
    return children


def test_a_mended_picture_is_all_that_is_made_again(
    tmp_path: Path, pictures: Path, uninterrupted: bytes
) -> None:
    source = tmp_path / "in"
    shutil.copytree(pictures, source)
    good = (source / "cell-9.png").read_bytes()
    (source / "cell-9.png").write_bytes(good[:50])
    arguments = (source, tmp_path / "a.h5", "--image-size", "512", "--workers", "1")
    stopped = run(*arguments)
    assert stopped.returncode == 2
    assert "cell-9.png, which is damaged" in stopped.stderr
    (source / "cell-9.png").write_bytes(good)
    again = run(*arguments)
    assert again.returncode == 0
    assert again.stderr.startswith("pictures: 16 of 24\n")
    assert (tmp_path / "a.h5").read_bytes() == uninterrupted


def test_a_damaged_part_is_made_again(tmp_path: Path, pictures: Path, uninterrupted: bytes) -> None:
    output, parts = tmp_path / "a.h5", tmp_path / ".a.h5.parts"
    process = start(pictures, output, "--image-size", "512", "--workers", "1")
    kill_at(process, lambda: len(list(parts.glob("*.npz"))) > 1)
    process.communicate()
    first, second, *_ = sorted(parts.glob("*.npz"))
    first.write_bytes(first.read_bytes()[:-1000])
    spoiled = bytearray(second.read_bytes())
    spoiled[len(spoiled) // 2] ^= 1
    second.write_bytes(spoiled)
    assert run(pictures, output, "--image-size", "512").returncode == 0
    assert output.read_bytes() == uninterrupted


# A part, or the file of all parts, larger than this: what a full disk does, without one.
@pytest.mark.parametrize("limit_bytes", [100_000, 11_000_000])
def test_a_full_disk_ends_with_one_line_and_what_is_done_is_kept(
    tmp_path: Path, pictures: Path, uninterrupted: bytes, limit_bytes: int
) -> None:
    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit_bytes, limit_bytes))

    arguments = (pictures, tmp_path / "a.h5", "--image-size", "512")
    result = run(*arguments, preexec_fn=limit)
    assert result.returncode == 2, result.stderr
    lines = [line for line in result.stderr.splitlines() if not line.startswith("pictures:")]
    assert len(lines) == 1, result.stderr
    assert "no space left for" in lines[0]
    assert not (tmp_path / "a.h5").exists()
    parts = list((tmp_path / ".a.h5.parts").glob("*"))
    assert [path.suffix for path in parts if path.suffix not in (".npz", "")] == []
    assert bool(parts) == (limit_bytes > 9_000_000)
    assert run(*arguments).returncode == 0
    assert (tmp_path / "a.h5").read_bytes() == uninterrupted


def test_two_runs_for_one_file_do_not_mix(tmp_path: Path, pictures: Path) -> None:
    output = tmp_path / "a.h5"
    first = start(pictures, output, "--image-size", "512", "--workers", "1")
    while not (tmp_path / ".a.h5.parts" / "lock").exists():
        time.sleep(0.001)
    time.sleep(0.05)
    first.send_signal(signal.SIGSTOP)  # so that it cannot be done before the second begins
    second = run(pictures, output, "--image-size", "512")
    first.send_signal(signal.SIGCONT)
    assert second.returncode == 2
    assert "which another run is writing" in second.stderr
    first.communicate(timeout=60)
    assert first.returncode == 0


def test_ctrl_c_ends_at_once_and_goes_on_later(tmp_path: Path, pictures: Path) -> None:
    output, parts = tmp_path / "a.h5", tmp_path / ".a.h5.parts"
    process = start(pictures, output, "--image-size", "512", start_new_session=True)
    while not list(parts.glob("*.npz")):
        time.sleep(0.001)
    os.killpg(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=20)
    assert process.returncode == 130, err
    assert "Traceback" not in err
    assert "run the same command again to resume" in err
    assert list(parts.glob("*.npz"))
