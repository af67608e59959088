"""What a sync may do. `decide` returns these, `act` carries them out; each may be lost or done twice without harm."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Action:
    """Something to do for an experiment.

    Attributes:
        experiment: Its name in the store.
    """

    experiment: str


@dataclass(frozen=True, kw_only=True)
class NewAttempt(Action):
    """Write the intent of an attempt and hand it over. Of several managers one can write it.

    Attributes:
        attempt: Its number.
        node: Where.
        reason: "first", "time limit", "preempted", "crash", "node lost", "resume", "retry".
    """

    attempt: int
    node: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class HandOver(Action):
    """Hand an attempt over whose intent is on disk, and of which its node certainly has nothing.

    Attributes:
        attempt: Its number.
        node: Its node.
    """

    attempt: int
    node: str


@dataclass(frozen=True, kw_only=True)
class Adopt(Action):
    """Note the job that was found under an attempt's name.

    Attributes:
        attempt: Its number.
        job: Id of the job, "" on nodes without a scheduler.
        where: The machine, "" if unknown.
    """

    attempt: int
    job: str
    where: str


@dataclass(frozen=True, kw_only=True)
class Cancel(Action):
    """Take one of two jobs of the same attempt out of the scheduler.

    Attributes:
        attempt: Its number.
        node: Its node.
        job: Id of the job that goes.
    """

    attempt: int
    node: str
    job: str


@dataclass(frozen=True, kw_only=True)
class Stop(Action):
    """Ask an attempt to end.

    Attributes:
        attempt: Its number.
        node: Its node.
        how: "stop", "pause" or "kill".
        by: Who wants it.
        why: One line.
    """

    attempt: int
    node: str
    how: str
    by: str
    why: str


@dataclass(frozen=True, kw_only=True)
class Finish(Action):
    """Write the status of an attempt that has certainly ended, and whose agent cannot write it any more.

    Attributes:
        attempt: Its number.
        outcome: As in status.json.
        why: One line.
        cause: Why it is to go on, "" where it is not.
        returncode: Exit status, None if unknown.
    """

    attempt: int
    outcome: str
    why: str
    cause: str = ""
    returncode: int | None = None


@dataclass(frozen=True, kw_only=True)
class Remove(Action):
    """Take away the folder of an experiment that is not wanted any more, now that nothing of it runs."""


@dataclass(frozen=True, kw_only=True)
class Nothing(Action):
    """Wait, and say why.

    Attributes:
        why: One line.
    """

    why: str
