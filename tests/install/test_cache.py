"""The cache never holds partial files, even with concurrent setups and killed processes."""

from __future__ import annotations

import signal
import subprocess
import sys
import textwrap

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ddl.install import cache

FACTS = st.dictionaries(st.text(max_size=5), st.text(max_size=5) | st.integers(), max_size=4)


def start(code: str, *arguments) -> subprocess.Popen:
    command = [sys.executable, "-u", "-c", textwrap.dedent(code), *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True)


@given(FACTS, FACTS)
def test_digests_are_equal_exactly_when_the_facts_are(one, other):
    assert (cache.digest(one) == cache.digest(other)) == (one == other)


def test_root_is_in_the_users_cache_folder(monkeypatch, tmp_path):
    monkeypatch.delenv("DDL_CACHE_DIR", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache.root() == tmp_path / "ddl"
    monkeypatch.setenv("DDL_CACHE_DIR", str(tmp_path / "other"))
    assert cache.root() == tmp_path / "other"


def test_publish_renames_the_folder_only_when_it_is_complete(tmp_path):
    with cache.publish(tmp_path / "key") as partial:
        (partial / "file").write_text("whole")
        assert not (tmp_path / "key").exists()
    assert (tmp_path / "key/file").read_text() == "whole"


def test_a_failed_publish_leaves_nothing(tmp_path):
    with pytest.raises(KeyError), cache.publish(tmp_path / "key"):
        raise KeyError
    assert list(tmp_path.iterdir()) == []


def test_publish_after_kill_9_starts_clean(tmp_path):
    code = """
        import os, pathlib, sys
        from ddl.install import cache
        with cache.publish(pathlib.Path(sys.argv[1])) as partial:
            (partial / "half").write_text("half")
            os.kill(os.getpid(), 9)
    """
    with start(code, tmp_path / "key") as killed:
        assert killed.wait(timeout=30) == -signal.SIGKILL
    assert not (tmp_path / "key").exists()
    with cache.publish(tmp_path / "key") as partial:
        (partial / "file").touch()
    assert {path.name for path in tmp_path.rglob("*")} == {"key", "file"}


def test_a_second_setup_says_that_it_waits_and_then_continues(tmp_path):
    code = """
        import pathlib, sys
        from ddl.install import cache
        with cache.lock(pathlib.Path(sys.argv[1]), "this test"):
            print("holds it")
            sys.stdin.readline()
    """
    with start(code, tmp_path / "lock") as first:
        assert first.stdout.readline() == "holds it\n"
        with start(code, tmp_path / "lock") as second:
            assert "another setup is working on this test; waiting" in second.stdout.readline()
            first.kill()  # the kernel releases a dead process's lock
            assert second.stdout.readline() == "holds it\n"
            second.stdin.close()
