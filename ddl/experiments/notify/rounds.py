"""A round of notifications: what is new goes into the outbox, and what is due goes out.

`sync` and `manage` call `after_sync` at their end. Nothing here ends them: a problem of the mail is a line for them.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ddl.experiments.notify.collect import collect
from ddl.experiments.notify.delivery import about_refused, deliver
from ddl.experiments.notify.events import Event
from ddl.experiments.notify.outbox import COMMAND, MAIL, Message, Outbox
from ddl.experiments.notify.smtp.password import take_from_environment
from ddl.experiments.notify.wishes import read_command_wishes, read_mail_wishes


def after_sync(store_path: Path, view: Any) -> tuple[str, ...]:
    """Tell what is new in a store. Return lines for the user: what was sent, and what could not be.

    Args:
        store_path: The store's folder.
        view: What `read_view` returned after the changes of this sync.
    """
    take_from_environment()
    if not any(is_wanted(experiment.record) for experiment in view.experiments):
        return ()
    try:
        return notify(store_path, view, time.time())
    except OSError as error:  # a full disk, a folder that is not ours
        return (f"no notifications: {error.filename or store_path}: {error.strerror}",)
    except ValueError as error:
        return (f"no notifications: {error}",)


def is_wanted(record: Any) -> bool:
    """Return whether an experiment wants any notification."""
    return bool(record.mail or record.notify)


def notify(store_path: Path, view: Any, now: float, *, by_hand: bool = False) -> tuple[str, ...]:
    """Put new events into the outbox and deliver what is due. By hand no wait is observed.

    Raises:
        OSError: The outbox cannot be written.
    """
    outbox = Outbox(store_path)
    lines = list(fill(outbox, view, now))
    return (*lines, *deliver(outbox, view, now, by_hand=by_hand))


def problems(store_path: Path) -> list[str]:
    """Return what the user must see to, a line each: refused mails, settings that do not work. Reads only."""
    outbox = Outbox(store_path)
    lines = [about_refused(message) for message in outbox.waiting() if message.refused]
    server = outbox.server
    return [*lines, str(server.get("error"))] if server.get("needs_user") else lines


def fill(outbox: Outbox, view: Any, now: float) -> Iterator[str]:
    """Put the events that somebody wants to know into the outbox; yield what the user's settings have wrong."""
    known = outbox.known()
    unreachable = dict(outbox.unreachable)
    told: set[str] = set()
    before = dict(unreachable)
    for event in collect(view, unreachable):
        for channel, settings in _wishes(view, event):
            try:
                kinds = _kinds(channel, settings)
            except ValueError as error:
                if str(error) not in told:
                    told.add(str(error))
                    yield f"{event.experiment}: {error}"
                continue
            if event.kind not in kinds and not (channel == MAIL and _asks_for_mail(event)):
                continue
            message = Message(event=event, channel=channel, wishes=settings, created=now)
            if message.file_name.removesuffix(".json") not in known:
                outbox.add(message)
            _note_node(unreachable, event)
    if unreachable != before:
        outbox.note_unreachable(unreachable)


def _wishes(view: Any, event: Event) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield each channel and the settings that hold for an event."""
    records = [item.record for item in view.experiments if _concerns(item, event)]
    for channel, name in ((MAIL, "mail"), (COMMAND, "notify")):
        settings = {json.dumps(value, sort_keys=True): value for value in _given(records, name)}
        # A node's event may concern several experiments: it is told once, to the first who wants to know.
        for value in list(settings.values())[:1]:
            yield channel, value


def _given(records: list[Any], name: str) -> Iterator[Mapping[str, Any]]:
    for record in records:
        value = getattr(record, name)
        if value:
            yield value


def _concerns(item: Any, event: Event) -> bool:
    if event.experiment:
        return bool(item.record.name == event.experiment)
    return event.details.get("node") in (item.node, item.record.node)


def _kinds(channel: str, settings: Mapping[str, Any]) -> tuple[str, ...]:
    if channel == MAIL:
        return read_mail_wishes(settings).on
    return read_command_wishes(settings).on


def _asks_for_mail(event: Event) -> bool:
    """Return whether a rule with the action `mail` met: it says so itself, whatever `on` lists."""
    actions = event.details.get("action") or event.details.get("actions") or ""
    return event.kind == "rule" and "mail" in str(actions)


def _note_node(unreachable: dict[str, float], event: Event) -> None:
    node = event.details.get("node")
    if event.kind == "unknown" and node:
        unreachable.setdefault(str(node), event.time)
    elif event.kind == "back":
        unreachable.pop(str(node), None)
