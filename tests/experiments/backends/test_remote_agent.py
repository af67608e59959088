"""The agent on a node: sent once by its contents, and what its answers and failures mean."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

import pytest

from ddl.experiments.agent.layout import ExperimentFolder
from ddl.experiments.backends.backend import BACKENDS, Attempt, open_backend
from ddl.experiments.backends.processes import Completed
from ddl.experiments.backends.queue import QueueBackend
from ddl.experiments.backends.remote_agent import RemoteAgent, packed
from ddl.experiments.backends.transport import LocalTransport, SshTransport
from ddl.experiments.problem import Unreachable
from ddl.experiments.spec.node import Node
from tests.experiments.beds.sshd import HOST


class Script(LocalTransport):
    """A node whose agent answers what a test says."""

    def __init__(self, *answers: Completed) -> None:
        self.answers = [*answers]
        self.calls: list[list[str]] = []

    def run(self, argv, *, stdin="", timeout_s=30.0):
        self.calls.append([str(word) for word in argv])
        if "agents" not in str(argv) or argv[0] in ("test", "sh"):
            return Completed(0, "", "")
        return self.answers.pop(0)


def answer(text: str, status: int = 0, said: str = "") -> Completed:
    """Return an answer of the agent."""
    return Completed(status, text, said)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a home of this test's own."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("DDL_NODE_HOME", str(tmp_path / "node"))
    return tmp_path


def test_the_agent_is_sent_once_and_answers(home):
    agent = RemoteAgent(LocalTransport(), sys.executable)
    path = Path(agent.path())
    assert path.read_bytes() == packed()[1]
    before = path.stat().st_mtime_ns
    assert RemoteAgent(LocalTransport(), sys.executable).call(["node"])["cores"] >= 1
    assert path.stat().st_mtime_ns == before


def test_the_agent_is_sent_through_ssh(sshd):
    agent = RemoteAgent(SshTransport(HOST), sys.executable)
    assert agent.path().startswith(str(sshd.home))
    assert agent.call(["node"])["host"]
    assert hashlib.sha256(Path(agent.path()).read_bytes()).digest()


def test_a_python_below_the_home_folder_is_found(home):
    assert RemoteAgent(LocalTransport(), "~/venv/bin/python").python() == f"{home}/venv/bin/python"


def test_a_missing_python_is_unreachable_and_names_the_setting(home):
    with pytest.raises(Unreachable, match="`python:` of the node"):
        RemoteAgent(LocalTransport(), "no-such-python").call(["node"])


@pytest.mark.parametrize("text", ["", "{", "[1]", "no json"])
def test_an_answer_that_is_no_object_is_unreachable(text):
    with pytest.raises(Unreachable, match="the agent ended with status 0"):
        RemoteAgent(Script(answer(text))).call(["node"])


def test_a_refusal_is_told_in_its_own_words():
    said = "agent: Received: x. Expected: y."
    with pytest.raises(ValueError, match="Received: x"):
        RemoteAgent(Script(answer("", 2, said))).call(["node"])


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ('{"state": "absent"}', []),
        ('{"state": "intent"}', []),
        ('{"state": "claimed", "identity": {}}', []),
        ('{"state": "queued"}', [("waiting", "")]),
        ('{"state": "running", "alive": true, "identity": {"host": "n1"}}', [("running", "")]),
        ('{"state": "claimed", "alive": true, "identity": {"host": "n2"}}', [("running", "")]),
        ('{"state": "ended", "status": {"outcome": "finished"}}', [("ended", "finished")]),
        (
            '{"state": "running", "alive": false, "identity": {"host": "n1"}}',
            [("ended", "process gone")],
        ),
        (
            '{"state": "running", "alive": false, "identity": {"host": "n2"}}',
            [("unknown", "it was claimed on n2")],
        ),
    ],
)
def test_what_the_agent_looks_at_becomes_what_is_seen(told, expected, tmp_path):
    attempt = Attempt(
        folder=ExperimentFolder(tmp_path / "001-x").attempt(1),
        intent={"name": "ddl-1f2e3d4c-001-a1", "root": "/there"},
    )
    node = Script(answer(f'{{"{attempt.name}": {told}}}'), answer('{"host": "n1"}'))
    (jobs,) = QueueBackend(Node(name="here"), node).observe([attempt]).values()
    assert [(job.state, job.reason) for job in jobs] == expected


def test_an_attempt_that_the_agent_passes_over_is_unreachable(tmp_path):
    attempt = Attempt(
        folder=ExperimentFolder(tmp_path / "001-x").attempt(1), intent={"name": "n", "root": "/t"}
    )
    with pytest.raises(Unreachable, match="told nothing of n"):
        QueueBackend(Node(name="here"), Script(answer("{}"))).observe([attempt])


def test_many_attempts_go_in_one_call(tmp_path):
    attempts = [
        Attempt(
            folder=ExperimentFolder(tmp_path / f"{number:03d}-x").attempt(1),
            intent={"name": f"n{number}", "root": "/t"},
        )
        for number in range(1, 51)
    ]
    node = Script(answer("{}"), answer('{"host": "n1"}'))
    assert len(QueueBackend(Node(name="here", slots=3), node).hand_over_all(attempts)) == 50
    enqueued = [call for call in node.calls if "enqueue" in call]
    assert len(enqueued) == 1
    assert enqueued[0][-2:] == ["--slots", "3"]


def test_an_unknown_type_of_node_lists_the_known_ones():
    with pytest.raises(ValueError, match=f"Expected one of: {', '.join(BACKENDS)}"):
        open_backend(Node(name="grid", type="sge"))


@pytest.mark.parametrize("kind", BACKENDS)
def test_each_type_of_node_opens_without_a_connection(kind):
    assert open_backend(Node(name="x", type=kind, ssh="nowhere.invalid")).node.name == "x"
