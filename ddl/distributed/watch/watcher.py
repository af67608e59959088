"""The background thread that watches the other ranks."""

from __future__ import annotations

import logging
import os
import sys
import threading
import time

from ddl.distributed.watch import awaited
from ddl.distributed.watch.heartbeat import Client, Life, Peer
from ddl.distributed.watch.judge import HOLD_S, SAID, Judge
from ddl.distributed.watch.place import current_place
from ddl.distributed.watch.running_time import RunningTime
from ddl.distributed.watch.server import Server
from ddl.plain_text import escaped

logger = logging.getLogger("ddl")

_INTERVAL_S = 1.0


class Watch:
    """Watches the other ranks from one background thread."""

    def __init__(
        self, me: Peer, stall_timeout_s: float, end: Server | Client, clock: RunningTime
    ) -> None:
        """Start the thread.

        Args:
            me: this rank.
            stall_timeout_s: longest time without a heartbeat of a rank, 0 for any.
            end: this rank's side of the heartbeats.
            clock: this process's running time, which `end` uses, too.
        """
        self.me, self.end = me, end
        self.state = "alive"
        self.failed_at: str | None = None
        self._judge = Judge(me.rank, stall_timeout_s, clock)
        self._stop = threading.Event()
        self._complained = False
        self._thread = threading.Thread(target=self._run, name="ddl-heartbeat", daemon=True)
        self._thread.start()

    def place(self) -> str:
        """Return the source line where this rank is, or where it failed."""
        return self.failed_at or current_place()

    def set_state(self, state: str) -> None:
        """Send the new state to rank 0 at once. Rank 0 sends its own failure to all ranks."""
        self.state = state
        if isinstance(self.end, Client):
            self.end.say(state, self.place())
        elif state == "failed":
            self.end.tell(state)

    def close(self) -> None:
        """Leave the job without ending it for the other ranks."""
        self._stop.set()
        self._thread.join(timeout=3 * _INTERVAL_S)
        self.end.close()

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                verdict = (
                    self._watch_ranks(self.end)
                    if isinstance(self.end, Server)
                    else self._watch_root(self.end)
                )
            except Exception:  # without this thread, the others would take this rank for dead
                self._complain()
                continue
            if verdict is not None and not self._stop.is_set():
                self._end_job(verdict)

    def _watch_ranks(self, server: Server) -> str | None:
        ending = any(life.state in ("died", "failed") for life in list(server.lives.values()))
        server.poll(HOLD_S if ending else _INTERVAL_S)
        own = Life(self.me, self.state, self.place())
        return self._judge.of_ranks(own, list(server.lives.values()))

    def _watch_root(self, client: Client) -> str | None:
        client.say(self.state, self.place())
        until = time.monotonic() + _INTERVAL_S
        while (left_s := until - time.monotonic()) > 0 and not self._stop.is_set():
            client.listen(min(left_s, HOLD_S))
            verdict = self._judge.of_root(client.root, self.state)
            if verdict is not None:
                return verdict
        return None

    def _end_job(self, verdict: str) -> None:
        """Exit this process now. The launcher ends all ranks when one exits with an error."""
        if isinstance(self.end, Server):
            self.end.tell("ending")
        else:  # rank 0 may only be stopped, and mpirun continues it to end it
            self.end.say("ending", "")
        if verdict != SAID:
            print(f"\n{escaped(f'ddl: {verdict} Ending the job.')}", file=sys.stderr, flush=True)
        awaited.wait()
        os._exit(1)

    def _complain(self) -> None:
        if not (self._complained or self._stop.is_set()):
            self._complained = True
            logger.warning("The watch over the ranks met an error and continues.", exc_info=True)
        time.sleep(_INTERVAL_S)
