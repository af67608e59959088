"""facts.json tells each start of a run, and no secret."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from ddl.training.record import run_facts


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    package = tmp_path / "repository" / "ddl"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    git(package, "init", "-q", "..")
    git(package, "add", "__init__.py")
    commit = ["commit", "-q", "-m", "first"]
    git(package, "-c", "user.name=a", "-c", "user.email=a@b", *commit)
    return package


def git(folder: Path, *arguments: str) -> str:
    command = ["git", "-C", str(folder), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def test_facts_are_what_was_started(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "orig_argv", ["python", "my train.py", "--token", "x"])
    monkeypatch.setenv("HOROVOD_FUSION_THRESHOLD", "1024")
    monkeypatch.setenv("HOROVOD_SECRET_KEY", "x")
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    monkeypatch.setenv("OMP_NUM_THREADS_TOO", "3")
    monkeypatch.setattr(run_facts.machine, "driver_gpus", lambda: ["H100"])
    found = json.loads(json.dumps(run_facts.gather_facts(["a", "a", "b"])))
    assert found["command"] == "python 'my train.py' --token '(hidden)'"
    assert found["ranks"] == 3
    assert found["hosts"] == {"a": 2, "b": 1}
    assert found["gpus"] == ["H100"]
    assert {"ddl", "python", "keras", "numpy"} <= set(found["versions"])
    assert found["settings"]["HOROVOD_FUSION_THRESHOLD"] == "1024"
    assert found["settings"]["HOROVOD_SECRET_KEY"] == "(hidden)"
    assert found["settings"]["OMP_NUM_THREADS"] == "3"
    assert not {"OMP_NUM_THREADS_TOO", "HOME", "PATH"} & set(found["settings"])
    age = datetime.now(timezone.utc) - datetime.fromisoformat(found["started"])
    assert age < timedelta(minutes=1)


def test_gathering_loads_no_tensorflow() -> None:
    code = "import sys; from ddl.training.record import run_facts; run_facts.gather_facts(); print(*sys.modules)"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert not {"tensorflow", "keras", "horovod", "numpy"} & set(result.stdout.split())


def test_each_start_adds_itself(tmp_path: Path) -> None:
    for number in range(3):
        run_facts.append_start(tmp_path, {"start": number})
    assert run_facts.read_starts(tmp_path) == [{"start": 0}, {"start": 1}, {"start": 2}]
    assert [path.name for path in tmp_path.iterdir()] == ["facts.json"]


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"starts": 1}', '{"starts": ['])
def test_facts_of_another_hand_are_not_overwritten(tmp_path: Path, text: str) -> None:
    (tmp_path / "facts.json").write_text(text)
    with pytest.raises(ValueError, match=r"with other contents\. Expected: .*; move it away"):
        run_facts.append_start(tmp_path, {})
    assert (tmp_path / "facts.json").read_text() == text


def test_the_commit_is_found_and_whether_it_is_all(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_DIR", "/nowhere")  # as in a hook
    found = run_facts.find_commit(repository)
    assert not found["dirty"]
    assert len(found["commit"]) == 40
    (repository / "untracked.txt").write_text("")
    assert run_facts.find_commit(repository) == found
    (repository / "__init__.py").write_text("changed = True")
    assert run_facts.find_commit(repository) == {**found, "dirty": True}


def test_a_package_inside_another_repository_has_no_commit(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed = repository / ".venv/lib/ddl"
    installed.mkdir(parents=True)
    (installed / "__init__.py").write_text("")
    assert run_facts.find_commit(installed) == {}
    assert run_facts.find_commit(tmp_path / "no repository") == {}
    monkeypatch.setenv("PATH", str(tmp_path))  # no git
    assert run_facts.find_commit(repository) == {}
