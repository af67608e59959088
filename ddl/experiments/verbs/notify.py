"""`notify`: sends what is due, lists what waits, or sends a trial mail."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ddl.experiments.notify.delivery import about_refused
from ddl.experiments.notify.outbox import MAIL, Message, Outbox
from ddl.experiments.notify.rounds import notify, problems
from ddl.experiments.notify.smtp.trial import send_trial
from ddl.experiments.store.folder import find_store
from ddl.experiments.store.view import StoreView, read_view
from ddl.plain_text import escaped

SOMETHING_FAILED = 3


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Send what is due: mails and calls of your command about what has happened.

    `sync` and `manage` do the same at their end. By hand, no wait after a failed try is observed. The mail server
    stands in ~/.config/ddl/mail.yaml (host, port, security, user, password_file, from), its password in a file of
    mode 600 or in $DDL_SMTP_PASSWORD. Exit status 3: something could not be sent.

        python scripts/experiments.py notify --test
        python scripts/experiments.py notify --pending

    Attributes:
        test: send a trial mail to the addresses of the store's experiments, else to those of mail.yaml
        pending: list what waits and why; send nothing
        again: send also what a server has refused
        store: the store's folder; without it the one around this folder, or the only one in ./experiments
        json: print one JSON document instead of text
    """

    test: bool = False
    pending: bool = False
    again: bool = False
    store: Path | None = None
    json: bool = False


def run(settings: Settings) -> int:
    """Send, list or try. Return 3 where something could not be sent."""
    if settings.test + settings.pending + settings.again > 1:
        raise ValueError(
            "Received: several of test, pending and again. Expected: one of them at a time."
        )
    if settings.test:
        return _try(settings)
    view = read_view(find_store(settings.store, Path.cwd()).path)
    outbox = Outbox(view.store.path)
    if settings.pending:
        _say(settings, [_line_of(item) for item in outbox.waiting()], outbox)
        return SOMETHING_FAILED if problems(view.store.path) else 0
    if settings.again:
        outbox.forgive()
    lines = notify(view.store.path, view, time.time(), by_hand=True)
    _say(settings, lines or ["nothing is due"], outbox)
    return SOMETHING_FAILED if _is_left(outbox) else 0


def _is_left(outbox: Outbox) -> bool:
    return any(item.error or item.refused for item in outbox.waiting()) or bool(outbox.server)


def _try(settings: Settings) -> int:
    """Send a trial mail. It needs no store."""
    view: StoreView | None = None
    try:
        view = read_view(find_store(settings.store, Path.cwd()).path)
    except ValueError:
        if settings.store is not None:
            raise
    sent, line = send_trial(view, time.time())
    _say(settings, [line])
    return 0 if sent else SOMETHING_FAILED


def _line_of(message: Message) -> str:
    event = message.event
    when = time.strftime("%Y-%m-%d %H:%M", time.localtime(event.time))
    if message.refused:
        return f"{when}  {about_refused(message)}"
    about = f"{event.experiment or event.details.get('node', '')} {event.kind}".strip()
    what = "mail" if message.channel == MAIL else "command"
    tries = f", {message.tries} tries: {message.error or 'not answered'}" if message.tries else ""
    return f"{when}  {what} about {about}{tries}"


def _say(settings: Settings, lines: Sequence[str], outbox: Outbox | None = None) -> None:
    if not settings.json:
        sys.stdout.write("".join(f"{escaped(line)}\n" for line in lines))
        return
    value: dict[str, Any] = {"lines": list(lines)}
    if outbox is not None:
        value["waiting"] = [item.to_json() for item in outbox.waiting()]
        value["server"] = outbox.server
    sys.stdout.write(json.dumps(value, indent=1) + "\n")
