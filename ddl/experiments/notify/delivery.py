"""Delivers what waits in the outbox: one process at a time, with growing waits, and a digest of what is too much."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from ddl.experiments.notify.curve import picture_of
from ddl.experiments.notify.digest import decide, digest_of
from ddl.experiments.notify.letter import fields_of, write_letter
from ddl.experiments.notify.outbox import COMMAND, MAIL, Message, Outbox
from ddl.experiments.notify.smtp.sending import Outcome, ServerProblem, build_mail, connected, send
from ddl.experiments.notify.smtp.server_settings import (
    ServerSettings,
    read_server_settings,
    settings_path,
)
from ddl.experiments.notify.templates import Template, read_template
from ddl.experiments.notify.user_command import call
from ddl.experiments.notify.wishes import MailWishes, read_command_wishes, read_mail_wishes

FIRST_WAIT_S = 60.0
LONGEST_WAIT_S = 3600.0
COMMAND_TRIES = 5
BUDGET_S = 60.0
_told: set[str] = set()
"""A round that has taken this long leaves the rest to the next one: `sync` has other things to do."""


def wait_s(tries: int) -> float:
    """Return how long to wait after so many failed tries: twice as long each time, an hour at most."""
    return min(FIRST_WAIT_S * 2.0 ** min(max(tries, 1) - 1, 10), LONGEST_WAIT_S)


def about_refused(message: Message) -> str:
    """Return the line about a message that was refused for good."""
    event = message.event
    about = f"{event.experiment or event.details.get('node', '')} {event.kind}".strip()
    what = "mail" if message.channel == MAIL else "command"
    return f"{what} about {about} was refused: {message.error}"


def deliver(outbox: Outbox, view: Any, now: float, *, by_hand: bool = False) -> tuple[str, ...]:
    """Deliver what is due. Return lines for the user. By hand, waits after failures are not observed."""
    if not outbox.new.is_dir():
        return ()
    with outbox.hold() as holder:
        if holder:
            return (f"mail is not sent now: {holder}",) if by_hand else ()
        return tuple(_Round(outbox, view, now, by_hand).lines())


class _Round:
    """One process's turn at the outbox."""

    def __init__(self, outbox: Outbox, view: Any, now: float, by_hand: bool) -> None:
        self.outbox, self.view, self.now, self.by_hand = outbox, view, now, by_hand
        self._deadline = time.monotonic() + BUDGET_S
        self._experiments = {item.record.name: item for item in view.experiments}

    def lines(self) -> Iterator[str]:
        """Deliver, and yield lines for the user."""
        waiting = list(self._unsent(self.outbox.waiting()))
        due = [
            item
            for item in waiting
            if not item.refused and (self.by_hand or item.next_try <= self.now)
        ]
        yield from self._call_commands(item for item in due if item.channel == COMMAND)
        mails = [item for item in due if item.channel == MAIL]
        if not mails:
            return
        digests = [item for item in waiting if item.event.kind == "digest"]
        yield from self._send(list(self._planned(mails, digests)))

    def _unsent(self, waiting: Iterable[Message]) -> Iterator[Message]:
        for message in waiting:
            if self.outbox.is_sent(message):  # a copy that came back beside the sent one
                (self.outbox.new / message.file_name).unlink(missing_ok=True)
            else:
                yield message

    def _planned(self, mails: list[Message], digests: list[Message]) -> Iterator[Message]:
        """Yield what goes now: mails one by one, and digests, which are put into the outbox first."""
        inside = {name for item in digests for name in item.event.details.get("members", ())}
        groups: dict[str, list[Message]] = {}
        for item in mails:
            if item.event.kind == "digest" or item.tried:
                yield item  # it was on its way before, and keeps its Message-ID
            elif item.event.hash not in inside:
                groups.setdefault(json.dumps(item.wishes, sort_keys=True), []).append(item)
        for key, items in groups.items():
            yield from self._group(key, items, digests)

    def _group(self, key: str, items: list[Message], digests: list[Message]) -> Iterator[Message]:
        wishes = read_mail_wishes(items[0].wishes)
        sent = [
            (item.tried, item.event.kind)
            for item in self.outbox.sent_since(self.now - wishes.digest_s)
            if item.channel == MAIL and json.dumps(item.wishes, sort_keys=True) == key
        ]
        if any(
            json.dumps(item.wishes, sort_keys=True) == key and not item.refused for item in digests
        ):
            sent.append((self.now, "digest"))
        what = decide(len(items), sent, wishes.limit, wishes.digest_s, self.now)
        if what.single or (self.by_hand and what.wait_until and len(items) <= wishes.limit):
            yield from items
        elif what.wait_until <= self.now or self.by_hand:
            event = digest_of([item.event for item in items], self.view.store.id, self.now)
            digest = Message(event=event, wishes=items[0].wishes, created=self.now)
            self.outbox.add(digest)
            yield digest

    def _send(self, mails: list[Message]) -> Iterator[str]:
        server = self.outbox.server
        stamp = _stamp(settings_path())
        if server and not self.by_hand:
            changed = server.get("needs_user") and server.get("settings") != stamp
            if not changed and (server.get("needs_user") or server.get("next_try", 0) > self.now):
                yield from _once(f"mail waits: {server.get('error')}")
                return
        try:
            settings = read_server_settings()
            with connected(settings) as connection:
                if server:
                    self.outbox.note_server({})
                yield from self._send_all(
                    mails, settings, lambda mail, to: send(connection, mail, to, settings)
                )
        except (ServerProblem, ValueError) as error:
            needs_user = isinstance(error, ValueError) or error.needs_user
            tries = int(server.get("tries", 0)) + 1
            facts = {
                "tries": tries,
                "error": str(error),
                "needs_user": needs_user,
                "settings": stamp,
            }
            self.outbox.note_server({**facts, "next_try": self.now + wait_s(tries)})
            line = f"mail waits: {error}"
            yield from [line] if self.by_hand else _once(line)

    def _send_all(
        self,
        mails: list[Message],
        settings: ServerSettings,
        send_one: Callable[[Any, tuple[str, ...]], Outcome],
    ) -> Iterator[str]:
        for number, message in enumerate(mails):
            if time.monotonic() > self._deadline:
                yield f"{len(mails) - number} more mails go with the next sync"
                return
            wishes = read_mail_wishes(message.wishes)
            to = message.left or wishes.to or settings.to
            if not to:
                yield self._without_address(message)
                continue
            template, problem = self._template(wishes)
            if problem:
                yield problem
            mail = self._mail(message, settings, wishes, to, template)
            # The mark before the sending: after a death in between, the copy has the same Message-ID.
            message = self.outbox.update(
                message,
                tries=message.tries + 1,
                tried=self.now,
                next_try=self.now + wait_s(message.tries + 1),
            )
            yield self._settle(message, to, send_one(mail, to))

    def _without_address(self, message: Message) -> str:
        problem = (
            f"Received: mail: without to, and {settings_path()} without to. "
            "Expected: an address in one of them."
        )
        tries = message.tries + 1
        self.outbox.update(message, tries=tries, next_try=self.now + wait_s(tries), error=problem)
        return problem

    def _mail(
        self,
        message: Message,
        settings: ServerSettings,
        wishes: MailWishes,
        to: tuple[str, ...],
        template: Template | None,
    ) -> Any:
        event = message.event
        experiment = self._experiments.get(event.experiment)
        letter = write_letter(fields_of(event, self.view, experiment), event, template)
        picture = picture_of(experiment) if experiment and wishes.curve else None
        return build_mail(letter, settings, to, event.id, event.hash, event.time, picture)

    def _settle(self, message: Message, to: tuple[str, ...], outcome: Outcome) -> str:
        """Write down what became of a mail, and return the line about it."""
        about = f"{message.event.experiment or message.event.details.get('node', '')} {message.event.kind}".strip()
        if outcome.left:
            self.outbox.update(message, left=outcome.left, error=outcome.error)
            return f"mail about {about} goes again later: {outcome.error}"
        if len(outcome.refused) == len(to):
            return about_refused(self.outbox.update(message, refused=True, error=outcome.error))
        if outcome.refused:
            self.outbox.update(message, error=outcome.error)
        members = message.event.details.get("members", ())
        for name in members if message.event.kind == "digest" else ():
            self.outbox.move_to_sent(f"{name}.json")
        self.outbox.move_to_sent(message.file_name)
        some = f", but not to all: {outcome.error}" if outcome.refused else ""
        return (
            f"mailed {', '.join(name for name in to if name not in outcome.refused)}: {about}{some}"
        )

    def _template(self, wishes: MailWishes) -> tuple[Template | None, str]:
        """Return the user's template, and what is wrong with it: the mail then goes in our own words."""
        if not wishes.template:
            return None, ""
        try:
            return read_template(
                self.view.store.path.parent.parent / Path(wishes.template).expanduser()
            ), ""
        except ValueError as error:
            return None, f"the mail goes without its template. {error}"

    def _call_commands(self, messages: Iterable[Message]) -> Iterator[str]:
        for message in messages:
            if time.monotonic() > self._deadline:
                return
            wishes = read_command_wishes(message.wishes)
            tries = message.tries + 1
            message = self.outbox.update(
                message, tries=tries, tried=self.now, next_try=self.now + wait_s(tries)
            )
            experiment = self._experiments.get(message.event.experiment)
            extra = _facts_of(self.view, experiment)
            problem = call(wishes, message.event, extra, _folder_of(self.view, experiment))
            if not problem:
                self.outbox.move_to_sent(message.file_name)
                yield f"called {wishes.command[0]}: {message.event.experiment} {message.event.kind}"
                continue
            for_good = tries >= COMMAND_TRIES
            self.outbox.update(message, error=problem, refused=for_good)
            yield f"notify: {problem}" + (" (not tried again)" if for_good else "")


def _once(line: str) -> Iterator[str]:
    """Yield a line unless this process has told it: `manage` comes by twice a minute."""
    if line not in _told:
        _told.add(line)
        yield line


def _facts_of(view: Any, experiment: Any | None) -> dict[str, Any]:
    facts: dict[str, Any] = {"store": str(view.store.path), "spec": view.store.name}
    if experiment is not None:
        facts["state"] = experiment.state
        facts["parameters"] = dict(experiment.record.parameters)
    return facts


def _folder_of(view: Any, experiment: Any | None) -> Path:
    """Return where the user's command runs: the folder of the user's own code, so that ./tell.sh is found."""
    source = Path(experiment.record.code.source or ".") if experiment is not None else Path()
    return source if source.is_absolute() and source.is_dir() else Path(view.store.path)


def _stamp(path: Path) -> str:
    """Return what changes when a file does: the same wrong password is not tried again and again."""
    try:
        facts = path.stat()
    except OSError:
        return ""
    return f"{facts.st_mtime_ns}-{facts.st_ino}-{facts.st_size}"
