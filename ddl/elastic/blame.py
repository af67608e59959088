"""Reads from a job's output which rank or machine failed: from ddl's own line, else from the launcher's."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from ddl.elastic.state import Blame, Ranks

_RANK = r"rank (?P<rank>\d+) \(host (?P<host>[^,\s]+), pid \d+\)"
_HOUSE = re.compile(
    rf"ddl: (?P<what>{_RANK} (?:died|failed|is stalled|has left the job|(?P<silent>has sent no heartbeat))[^\n]*)"
)
_LAUNCHERS = (  # in the order of what they tell
    re.compile(r"(?P<what>ssh: Could not resolve hostname (?P<gone>[^\s:]+)[^\n]*)"),
    re.compile(r"(?P<what>ssh: connect to host (?P<gone>\S+) port[^\n]*)"),
    re.compile(r"(?P<what>Remote daemon: \S+ on node (?P<gone>\S+))"),
    re.compile(
        r"(?P<what>process rank (?P<rank>\d+) with PID \d+ on node \S+ exited on signal \d+[^\n]*)"
    ),
    re.compile(r"(?P<what>Process (?P<rank>\d+) exit with status code -?\d+)"),  # horovodrun
    re.compile(r"(?P<what>Process name: \[\[\d+,1\],(?P<rank>\d+)\])"),
)
_BEST = len(_LAUNCHERS) + 1
_MOST_SHOWN = 200


@dataclass
class Reader:
    """Reads the lines of one job, and keeps the first of the best kind."""

    ranks: Ranks
    blame: Blame = field(default_factory=Blame)
    _worth: int = 0

    def read(self, line: str) -> None:
        """Take a line of the job's output."""
        if self._worth == _BEST:
            return
        found = _HOUSE.search(line)
        if found is not None:
            whole = bool(found["silent"]) and len(self.ranks) > 1
            self._take(_BEST, found, int(found["rank"]), whole)
            return
        for number, pattern in enumerate(_LAUNCHERS):
            worth = len(_LAUNCHERS) - number
            found = pattern.search(line)
            if found is not None and worth > self._worth:
                groups = found.groupdict()
                if groups.get("gone"):
                    self._take(worth, found, None, True, groups["gone"])
                else:
                    self._take(worth, found, int(groups["rank"]), False)
                return

    def _take(
        self,
        worth: int,
        found: re.Match[str],
        rank: int | None,
        whole: bool,
        name: str | None = None,
    ) -> None:
        host = self._host_named(name) if rank is None else self._host_of(rank)
        self._worth = worth
        reason = found["what"].removesuffix(" Ending the job.")[:_MOST_SHOWN].strip()
        self.blame = Blame(reason, rank, host, whole)

    def _host_of(self, rank: int) -> str | None:
        """Return the machine of a rank: launchers fill the first host first."""
        for host, ranks in self.ranks.items():
            if rank < ranks:
                return host
            rank -= ranks
        return None

    def _host_named(self, name: str | None) -> str | None:
        """Return our name of a machine that a launcher names, perhaps without its domain."""
        short = (name or "").partition(".")[0]
        for host in self.ranks:
            if name == host or short == host.partition(".")[0]:
                return host
        return None
