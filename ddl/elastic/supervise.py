"""The loop of elastic training: looks at hosts, job and signals, decides, and does it."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from ddl.elastic import run_files
from ddl.elastic import state as states
from ddl.elastic.decide import Action, AskStop, End, Kill, Start, Wait, decide
from ddl.elastic.hosts import Hosts, shown
from ddl.elastic.job import Job
from ddl.elastic.journal import Journal
from ddl.elastic.settings import ElasticSettings
from ddl.elastic.state import DONE, STOPPED, Blame, Ending, LeftOut, Ranks, State

POLL_S = 0.1


class Source(Protocol):
    """Where hosts come from."""

    @property
    def hosts(self) -> Hosts:
        """The last list."""
        ...

    @property
    def note(self) -> str:
        """A line to say now, "" for none."""
        ...

    def look(self, now_s: float) -> None:
        """Look whether there is a new list. Never waits."""
        ...


class Supervisor:
    """Starts a job, watches it, and starts it again. Everything outside is given, so that tests can play it."""

    def __init__(
        self,
        settings: ElasticSettings,
        source: Source,
        launch: Callable[[Ranks, bool], Job],
        run_dir: Path,
        journal: Journal,
        *,
        signals: Callable[[], int],
        time_limit_s: float = 0.0,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Prepare it.

        Args:
            settings: the flags.
            source: where hosts come from.
            launch: starts the job on these ranks; the second argument says whether it goes on from a checkpoint.
            run_dir: the run directory.
            journal: takes the events.
            signals: returns how many signals have asked to stop.
            time_limit_s: the run's own time limit, which holds for all starts together; 0 for none.
            clock: seconds that only grow.
            sleep: waits for some seconds.
        """
        self._settings, self._source, self._launch = settings, source, launch
        self._run_dir, self._journal, self._signals = run_dir, journal, signals
        self._clock, self._sleep = clock, sleep
        self._ends_s = clock() + time_limit_s if time_limit_s else None
        self._state = State()
        self._job: Job | None = None
        self._before = run_files.Look()
        self._ended_s: float | None = None  # the last job; None once the next one trains
        self._told = ""  # the last line that is not to be repeated
        self._killed = ""  # why we killed the job

    def run(self) -> int:
        """Train until the end, and return the exit status."""
        try:
            while True:
                self._look()
                action = decide(self._state, self._settings, self._clock())
                if isinstance(action, End):
                    return self._finish(action)
                self._do(action)
                self._sleep(POLL_S)
        finally:
            self._end_job()

    def _look(self) -> None:
        now_s = self._clock()
        self._source.look(now_s)
        if self._source.note:
            self._journal.note("hosts", self._source.note, hosts=dict(self._source.hosts))
        if dict(self._source.hosts) != dict(self._state.hosts):
            self._state = self._state.change(hosts=dict(self._source.hosts))
            self._journal.note("hosts", hosts=dict(self._source.hosts))
        self._state = self._state.change(signals=self._signals())
        if self._job is not None:
            self._look_at_job(self._job, now_s)

    def _look_at_job(self, job: Job, now_s: float) -> None:
        status = job.poll()
        if status is not None:
            self._take_end(job, status)
            return
        silence_s = self._settings.silence_min * 60
        if silence_s and now_s - job.heard_s > silence_s:
            self._state = self._state.change(is_silent=True)
        if not self._state.is_training and self._writes():
            self._state = self._state.change(is_training=True)
            if self._ended_s is not None:
                self._journal.restart_s += now_s - self._ended_s
            self._ended_s = None

    def _writes(self) -> bool:
        """Return whether the job has written to the run's log, which it does once it is loaded."""
        return run_files.look(self._run_dir).log_bytes > self._before.log_bytes

    def _do(self, action: Action) -> None:
        if isinstance(action, Start):
            self._start(action.ranks)
        elif isinstance(action, AskStop):
            self._ask_stop(action.reason)
        elif isinstance(action, Kill) and self._job is not None:
            self._tell_once(f"killing the job: {action.reason}.", "kill")
            self._killed = action.reason
            self._job.kill()
        elif isinstance(action, Wait) and action.reason:
            if self._state.short_since_s is None:
                self._state = self._state.change(short_since_s=self._clock())
            self._tell_once(f"{action.reason}.", "wait")
        elif self._is_late() and self._state.ranks and self._state.stop_asked_s is None:
            self._ask_stop("the run's time limit")

    def _is_late(self) -> bool:
        return self._ends_s is not None and self._clock() >= self._ends_s

    def _start(self, ranks: Ranks) -> None:
        journal, resumes = self._journal, self._journal.starts > 0
        self._before = run_files.look(self._run_dir)
        journal.starts += 1
        count = sum(ranks.values())
        journal.sizes.append(count)
        whence = f", from {self._before.name}" if resumes and self._before.name else ""
        journal.note(
            "start",
            f"start {journal.starts} on {count} rank{'s' * (count != 1)} ({shown(ranks)}){whence}.",
            number=journal.starts,
            ranks=count,
            hosts=dict(ranks),
            checkpoint=self._before.name or None,
        )
        self._told = self._killed = ""
        self._job = self._launch(ranks, resumes)
        self._state = states.start(self._state, ranks, self._clock())

    def _ask_stop(self, reason: str) -> None:
        if self._job is None:
            return
        if self._job.ask_stop():
            self._journal.note(
                "stop",
                f"asking the job to write a checkpoint and stop: {reason}.",
                reason=reason,
            )
        else:
            self._journal.note(
                "stop",
                f"killing the job, because its launcher passes no signal on: {reason}.",
                reason=reason,
            )
            self._job.kill()
        self._state = states.ask_stop(self._state, reason, self._clock())

    def _take_end(self, job: Job, status: int) -> None:
        now_s, found = self._clock(), run_files.look(self._run_dir)
        words = run_files.last_words(self._run_dir, self._before.log_bytes)
        own, limit = run_files.meaning(status, words)
        limit = limit or (own == STOPPED and self._is_late())
        blame = Blame(self._killed) if self._killed or own in (DONE, STOPPED) else job.blame
        ending = Ending(own, run_files.has_progressed(self._before, found), blame, limit)
        ranks, left_out = self._state.ranks, self._state.left_out
        seconds = now_s - self._state.started_s
        asked, failed_by = self._state.stop_reason, ending.blame.reason
        reason = (asked or words) if own in (DONE, STOPPED) else (failed_by or asked or words)
        self._state = states.end(self._state, ending, now_s, self._settings)
        self._job, self._ended_s = None, now_s
        journal = self._journal
        if own not in (DONE, STOPPED):
            journal.failures += 1
            begun_s = max(found.checkpoint_s, time.time() - seconds)
            journal.repeated_s += max(0.0, time.time() - begun_s)
        else:
            journal.stops += own != DONE and not (limit or self._state.signals)
        failed = f"the job on {shown(ranks or {})} ended with status {own} after {seconds:.0f} s"
        journal.note(
            "end",
            "" if own == DONE else failed + (f": {reason.rstrip('.')}." if reason else "."),
            number=journal.starts,
            status=own,
            launcher_status=status,
            seconds=round(seconds, 1),
            reason=reason,
            rank=ending.blame.rank,
            host=ending.blame.host,
            progressed=ending.progressed,
            checkpoint=found.name or None,
        )
        for out in self._state.left_out:
            if out not in left_out:
                self._tell_left_out(out, now_s)

    def _tell_left_out(self, out: LeftOut, now_s: float) -> None:
        for_s = out.until_s - now_s
        time_text = f"{for_s / 60:g} min" if for_s >= 120 else f"{for_s:g} s"
        what = "a slot of " if out.slots else ""
        why = (
            ""
            if out.slots
            else "it has failed repeatedly"
            if not out.is_firm
            else "it cannot be used"
        )
        self._journal.note(
            "left out",
            f"leaving out {what}{out.host} for {time_text}" + (f": {why}." if why else "."),
            host=out.host,
            slots=out.slots or None,
            seconds=for_s,
        )

    def _tell_once(self, text: str, event: str) -> None:
        if text != self._told:
            self._journal.note(event, text, reason=text)
        self._told = text

    def _finish(self, end: End) -> int:
        journal = self._journal
        what = "done" if end.status == DONE else f"ended with status {end.status}, {end.reason}"
        summary = journal.summary()
        journal.note(
            "done",
            f"{what}: {summary}.",
            status=end.status,
            reason=end.reason,
            starts=journal.starts,
            failures=journal.failures,
            changes=journal.stops,
            repeated_s=round(journal.repeated_s, 1),
            restart_s=round(journal.restart_s, 1),
        )
        return end.status

    def _end_job(self) -> None:
        """End a job that is still there: this process is ending by an error."""
        if self._job is None:
            return
        self._job.kill()
        while self._job.poll() is None:
            time.sleep(POLL_S)
