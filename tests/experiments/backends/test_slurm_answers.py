"""What follows from answers of Slurm that no test bed gives at will: partial, empty, refused, late."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from ddl.experiments.agent.layout import AttemptFolder
from ddl.experiments.backends.backend import ENDED, RUNNING, Attempt
from ddl.experiments.backends.processes import Completed
from ddl.experiments.backends.slurm import SlurmBackend
from ddl.experiments.problem import Unreachable
from ddl.experiments.spec.node import Node

NAME = "ddl-00000000-001-a1"
Answer = Callable[[], Completed] | Completed


class Told:
    """A front end that answers as it is told, in turn; the last answer is repeated."""

    host = "front"

    def __init__(self, **answers: Sequence[Answer]) -> None:
        """Set the answers of each program."""
        self._answers = {name: list(given) for name, given in answers.items()}
        self.asked: list[str] = []

    def home(self) -> str:
        """Return a home folder."""
        return "/home/ada"

    def run(self, argv: Sequence[str], *, stdin: Any = "", timeout_s: float = 30) -> Completed:
        """Answer."""
        program = next(word for word in argv if word in self._answers)
        self.asked.append(" ".join(argv))
        answers = self._answers[program]
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        return answer if isinstance(answer, Completed) else answer()

    def calls(self, program: str) -> int:
        """Return how often a program was called."""
        return sum(program in words.split() for words in self.asked)

    send = fetch = None


def backend(told: Told, **node: Any) -> SlurmBackend:
    return SlurmBackend(Node(name="cluster", type="slurm", **node), told)  # type: ignore[arg-type]


@pytest.fixture
def attempt(tmp_path: Path) -> Attempt:
    """Return an attempt with an intent."""
    folder = AttemptFolder(tmp_path / "store" / "001-x" / "attempts" / "1")
    folder.path.mkdir(parents=True)
    hand_over = {"argv": ["sbatch", "--job-name={name}"], "stdin": "#!/bin/sh\n"}
    intent = {"name": NAME, "root": "/store", "created": 0, "hand_over": hand_over}
    folder.intent.write_text(json.dumps(intent))
    return Attempt.read(folder)


def said(stdout: str = "", stderr: str = "", status: int = 0) -> Completed:
    return Completed(status, stdout, stderr)


def late() -> Completed:
    raise Unreachable("front did not answer within 30 s.")


def job(state: str, reason: str = "None") -> Completed:
    return said(f"7|{NAME}|{state}|0|0|N/A|0:00|n1|{reason}\n")


OFF = said(stderr="Slurm accounting storage is disabled", status=1)


@pytest.mark.parametrize(
    "answer",
    [
        said(stderr="slurm_load_jobs error: Unable to contact slurm controller", status=1),
        said(stderr="squeue: error: cannot read half of it"),
        said("slurmctld: warming up\n"),
        said(stderr="squeue: unrecognized option '--me'", status=1),
        said(stderr="env: squeue: not found", status=127),
        late,
    ],
)
def test_anything_but_a_complete_answer_of_the_queue_is_unreachable(
    attempt: Attempt, answer: Answer
):
    with pytest.raises(Unreachable):
        backend(Told(squeue=[answer], sacct=[OFF])).observe([attempt])


def test_a_greeting_on_standard_error_is_no_problem(attempt: Attempt):
    told = Told(squeue=[said(stderr="Welcome to the cluster")], sacct=[OFF])
    assert backend(told).observe([attempt]) == {NAME: []}


def test_accounting_that_is_off_is_asked_once(attempt: Attempt):
    told = Told(squeue=[said()], sacct=[OFF])
    slurm = backend(told)
    for _ in range(3):
        assert slurm.observe([attempt]) == {NAME: []}
    assert told.calls("sacct") == 2  # with a database, and without


@pytest.mark.parametrize("answer", [late, said(stderr="Access/permission denied", status=1)])
def test_accounting_that_is_late_or_refuses_is_no_problem(attempt: Attempt, answer: Answer):
    assert backend(Told(squeue=[said()], sacct=[answer])).observe([attempt]) == {NAME: []}


def test_accounting_is_not_asked_while_the_queue_has_the_job(attempt: Attempt):
    told = Told(squeue=[job("RUNNING")], sacct=[OFF])
    assert backend(told).observe([attempt])[NAME][0].state == RUNNING
    assert told.calls("sacct") == 0


def test_a_job_that_has_left_the_queue_is_found_in_accounting(attempt: Attempt):
    told = Told(squeue=[said()], sacct=[said(f"7|{NAME}|TIMEOUT|0:0\n")])
    (seen,) = backend(told).observe([attempt])[NAME]
    assert (seen.id, seen.state, seen.reason) == ("7", ENDED, "TIMEOUT")


def test_a_job_that_comes_into_the_queue_between_two_questions_is_not_forgotten(attempt: Attempt):
    told = Told(squeue=[said(), job("PENDING")], sacct=[said(f"7|{NAME}|PENDING|0:0\n")])
    (seen,) = backend(told).observe([attempt])[NAME]
    assert seen.raw == "PENDING"


def test_a_job_that_only_accounting_takes_for_alive_is_forgotten(attempt: Attempt):
    told = Told(squeue=[said()], sacct=[said(f"7|{NAME}|RUNNING|0:0\n")])
    (seen,) = backend(told).observe([attempt])[NAME]
    assert (seen.state, seen.reason) == (ENDED, "FORGOTTEN")


@pytest.mark.parametrize(
    "answer",
    [
        said(
            stderr="sbatch: error: Batch job submission failed: Socket timed out on send/recv operation",
            status=1,
        ),
        said(stderr="sbatch: error: something new", status=1),
        said("Welcome\n"),
        said(status=-15),
        late,
    ],
)
def test_after_an_unclear_answer_of_sbatch_the_job_may_exist(attempt: Attempt, answer: Answer):
    with pytest.raises(Unreachable):
        backend(Told(sbatch=[answer])).hand_over(attempt)


def test_the_words_for_sbatch_get_the_attempts_name(attempt: Attempt):
    told = Told(sbatch=[said("9;cluster\n")])
    submitted = backend(told).hand_over(attempt)
    assert (submitted.id, submitted.where) == ("9", "front")
    assert told.asked == [f"sbatch --job-name={NAME}"]


def test_flags_that_make_other_jobs_are_refused_before_anything_is_submitted(attempt: Attempt):
    told = Told(sbatch=[said("9\n")])
    with pytest.raises(ValueError, match="--array"):
        backend(told, sbatch=("--array=1-3",)).hand_over(attempt)
    assert told.asked == []


def test_a_job_id_that_is_none_is_not_given_to_scancel():
    told = Told(scancel=[said()])
    with pytest.raises(ValueError, match="Expected: the number of a job"):
        backend(told).cancel("--user=ada")
    assert told.asked == []


def test_cancelling_what_has_ended_is_no_error_and_an_unclear_answer_is_one():
    gone = said(stderr="scancel: error: Kill job error on job id 7: Invalid job id", status=1)
    backend(Told(scancel=[gone])).cancel("7")
    with pytest.raises(Unreachable):
        backend(Told(scancel=[said(stderr="Unable to contact", status=1)])).cancel("7")
