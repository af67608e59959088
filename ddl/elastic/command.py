"""The command behind scripts/elastic.py: reads flags and the training command, checks them, and trains."""

from __future__ import annotations

import dataclasses
import signal
import sys
from types import FrameType

from ddl.distributed.job.launcher import placement, usable_cores
from ddl.elastic.decide import place
from ddl.elastic.hosts import CommandHosts, FixedHosts, shown
from ddl.elastic.job import Job, LaunchedJob
from ddl.elastic.journal import LOG_NAME, NAME, Journal
from ddl.elastic.launch import check_launcher, launch_words
from ddl.elastic.script import Facts, Refused, Script, ask, check, read_script, with_fixed_batch
from ddl.elastic.settings import ElasticSettings
from ddl.elastic.state import Ranks
from ddl.elastic.supervise import Supervisor
from ddl.files.locks import hold_folder
from ddl.flags import Parser, add_flags, given_flags
from ddl.plain_text import tell

_LOCK = ".elastic.lock"


def elastic_parser(doc: str) -> Parser:
    """Return the parser of scripts/elastic.py."""
    parser = Parser(NAME, doc, "[flags] -- SCRIPT.py [flags of the script]")
    add_flags(parser, (ElasticSettings,))
    return parser


def train_elastically(parser: Parser, argv: list[str] | None) -> int:
    """Train, and return the exit status.

    0: the training is complete. 2: bad input, here or in the script. 4: the loss became NaN or infinite. 75: stopped by
    a signal, or too few machines; the same command with --resume auto goes on. 130: a second Ctrl-C. Any other: that of
    the last job, after the last restart.
    """
    words = sys.argv[1:] if argv is None else argv
    own, command = _parted(words)
    arguments = given_flags(vars(parser.parse_args(own)))
    with Signals() as signals:
        try:
            settings = ElasticSettings(**arguments)
            return _train(settings, command, signals)
        except Refused as refused:
            return refused.status
        except ValueError as error:
            return parser.complain(error)


class Signals:
    """Counts the signals that ask to stop. A second Ctrl-C asks to stop at once."""

    def __init__(self) -> None:
        self.count = 0

    def __enter__(self) -> Signals:
        self._before = {
            number: signal.signal(number, self._hear)
            for number in (signal.SIGTERM, signal.SIGUSR1, signal.SIGINT)
        }
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _hear(self, number: int, frame: FrameType | None) -> None:
        if number == signal.SIGINT or not self.count:
            self.count += 1


def _parted(words: list[str]) -> tuple[list[str], list[str]]:
    """Return the words before and behind the first lone "--"."""
    at = words.index("--") if "--" in words else len(words)
    return words[:at], words[at + 1 :]


def _train(settings: ElasticSettings, command: list[str], signals: Signals) -> int:
    script = read_script(command)
    if placement().launcher is not None:
        raise ValueError(
            f"Received: elastic.py under {placement().launcher}. Expected: no launcher; elastic.py starts "
            f"{settings.launcher} itself."
        )
    check_launcher(settings)
    source = _open_hosts(settings)
    try:
        ranks = place(source.hosts, settings.max_ranks)
        count = max(sum(ranks.values()), settings.min_ranks)
        facts = ask(script, count)
        check(facts)
        script, note = with_fixed_batch(script, facts, count)
        if note:
            facts = ask(script, count)
        return _supervise(settings, script, facts, source, signals, note)
    finally:
        source.close()


def _open_hosts(settings: ElasticSettings) -> CommandHosts | FixedHosts:
    """Return where hosts come from, with the first list.

    Raises:
        ValueError: the command gives none, or this machine has too few slots.
    """
    if settings.hosts_command is not None:
        source = CommandHosts(settings)
        source.first()
        return source
    slots = settings.slots_per_host or usable_cores()
    if slots < settings.min_ranks:
        raise ValueError(
            f"Received: min_ranks={settings.min_ranks} on this machine of {slots} slots. Expected: at most "
            f"min_ranks={slots}, slots_per_host={settings.min_ranks}, or a hosts_command."
        )
    return FixedHosts(slots)


def _supervise(
    settings: ElasticSettings,
    script: Script,
    facts: Facts,
    source: CommandHosts | FixedHosts,
    signals: Signals,
    note: str,
) -> int:
    plan = facts.plan
    settings = _within_batch(settings, plan["global_batch_size"])
    if script.flag("--run-dir") is None:  # the default may be another one at the next start
        script = script.plus("--run-dir", facts.run_dir)

    def launch(ranks: Ranks, resumes: bool) -> Job:
        now = script.resuming() if resumes else script
        return LaunchedJob(launch_words(settings, ranks, now), ranks, settings.launcher == "mpirun")

    with hold_folder("run_dir", facts.run_dir, _LOCK, "elastic training"):
        journal = Journal(facts.run_dir / LOG_NAME)
        if note:
            journal.note("batch", f"{note}.")
        if plan["parallel"] == "local":
            tell(
                f"{NAME}: parallel=local: what is learned depends on the number of ranks, which may change."
            )
        every = plan["checkpoint_every_min"]
        journal.note(
            "begin",
            f"{settings.min_ranks} to {settings.max_ranks or 'all'} ranks, {shown(source.hosts)}; after a failure at "
            f"most an epoch or {every:g} min are done again (--checkpoint-every-min)."
            if every
            else "after a failure the epoch is done again; --checkpoint-every-min 1 limits that.",
            command=list(script.words),
            settings=dataclasses.asdict(settings),
        )
        supervisor = Supervisor(
            settings,
            source,
            launch,
            facts.run_dir,
            journal,
            signals=lambda: signals.count,
            time_limit_s=plan["time_limit_min"] * 60,
        )
        return supervisor.run()


def _within_batch(settings: ElasticSettings, batch: int) -> ElasticSettings:
    """Return the settings with no more ranks than a batch has samples.

    Raises:
        ValueError: that would be fewer than min_ranks.
    """
    if not batch or 0 < settings.max_ranks <= batch:
        return settings
    if batch < settings.min_ranks:
        raise ValueError(
            f"Received: min_ranks={settings.min_ranks} for a global batch of {batch} samples. Expected: at most "
            f"min_ranks={batch}: each rank needs a sample."
        )
    return dataclasses.replace(settings, max_ranks=batch)
