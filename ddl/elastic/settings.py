"""The flags of scripts/elastic.py."""

from __future__ import annotations

import shlex
from dataclasses import dataclass

from ddl.options import convert_fields
from ddl.ranges import Range, check_choices, check_ranges

LAUNCHERS = ("mpirun", "horovodrun")

_RANGES = {
    **dict.fromkeys(("min_ranks", "blacklist_after", "restarts_without_progress"), Range(1, 10**6)),
    **dict.fromkeys(("max_ranks", "slots_per_host", "restarts"), Range(0, 10**6)),
    **dict.fromkeys(("check_every_s", "hosts_timeout_s", "stop_timeout_s"), Range(0, above=True)),
    **dict.fromkeys(("cooldown_s", "blacklist_min", "wait_min", "silence_min"), Range(0)),
    "ssh_port": Range(1, 65535),
}


@dataclass(frozen=True, kw_only=True)
class ElasticSettings:
    """Elastic training.

    Attributes:
        min_ranks: fewest ranks to train with; with fewer slots it waits for `wait_min`.
        max_ranks: most ranks to train with; 0 takes every slot.
        hosts_command: command that prints the machines to train on, a line for each: "HOST" or "HOST:SLOTS"; by default
            this machine alone.
        slots_per_host: ranks on this machine, or on a machine that the command prints without a number; 0 takes the
            usable cores of this machine, and 1 for others.
        check_every_s: seconds between two calls of `hosts_command`.
        hosts_timeout_s: longest time that the command may take; the last list stays if it takes longer or fails.
        cooldown_s: seconds after a start before the job is stopped to take more ranks; as long is the slot of a rank
            that died left out.
        blacklist_after: failures of one machine within `blacklist_min` after which it is left out.
        blacklist_min: minutes for which such a machine is left out.
        restarts: restarts after failures, in all, after which it gives up.
        restarts_without_progress: failures one after another without a new checkpoint, after which it gives up.
        wait_min: minutes to wait for `min_ranks` slots; it then ends with status 75.
        stop_timeout_s: seconds that a job gets to write a checkpoint and stop, before it is killed.
        silence_min: minutes without any output of the job, after which it is killed and started again; 0 never does.
        launcher: program that starts the ranks: "mpirun" or "horovodrun".
        launcher_flags: further flags of the launcher, in one text.
        ssh_port: SSH port of the other machines.
        interface: network between the machines, such as eth0; by default the launcher chooses.
    """

    min_ranks: int = 1
    max_ranks: int = 0
    hosts_command: str | None = None
    slots_per_host: int = 0
    check_every_s: float = 5.0
    hosts_timeout_s: float = 10.0
    cooldown_s: float = 60.0
    blacklist_after: int = 3
    blacklist_min: float = 10.0
    restarts: int = 100
    restarts_without_progress: int = 3
    wait_min: float = 10.0
    stop_timeout_s: float = 120.0
    silence_min: float = 30.0
    launcher: str = "mpirun"
    launcher_flags: str = ""
    ssh_port: int = 22
    interface: str | None = None

    def __post_init__(self) -> None:
        """Check every value.

        Raises:
            ValueError: a value is out of range, or two contradict each other.
        """
        convert_fields(self)
        check_ranges(vars(self), _RANGES, "elastic training")
        check_choices({"launcher": self.launcher}, {"launcher": LAUNCHERS})
        if 0 < self.max_ranks < self.min_ranks:
            raise ValueError(
                f"Received: max_ranks={self.max_ranks} with min_ranks={self.min_ranks}. Expected: at least "
                f"max_ranks={self.min_ranks}."
            )
        for name in ("hosts_command", "launcher_flags"):
            _split(name, getattr(self, name))
        if self.hosts_command is not None and not self.hosts_command.strip():
            raise ValueError("Received: hosts_command=''. Expected: a command, such as ./hosts.sh.")


def _split(name: str, text: str | None) -> list[str]:
    """Return the words of a text, as a shell splits them."""
    try:
        return shlex.split(text or "")
    except ValueError as error:
        raise ValueError(
            f"Received: {name}={text!r}, which cannot be split into words ({error}). Expected: words, in pairs of "
            "quotes where they hold spaces."
        ) from None
