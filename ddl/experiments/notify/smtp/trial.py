"""A trial mail: whether the settings work, and what the server says if they do not."""

from __future__ import annotations

import uuid
from typing import Any

from ddl.experiments.notify.letter import Letter
from ddl.experiments.notify.smtp.sending import ServerProblem, build_mail, connected, send
from ddl.experiments.notify.smtp.server_settings import read_server_settings
from ddl.experiments.notify.wishes import read_mail_wishes

_BODY = """This is the trial mail of `scripts/experiments.py notify --test`.

Mail about experiments{store} comes this way.
"""


def send_trial(view: Any | None, now: float) -> tuple[bool, str]:
    """Send a trial mail to those who get the store's mail, else to the addresses of mail.yaml.

    Returns:
        Whether the server took it for all recipients, and a line about it.

    Raises:
        ValueError: The settings are not as expected.
    """
    settings = read_server_settings()
    mails = [item.record.mail for item in (view.experiments if view else ()) if item.record.mail]
    asked = tuple(dict.fromkeys(name for mail in mails for name in read_mail_wishes(mail).to))
    to = asked or settings.to or (settings.sender,)
    store = f" of {view.store.name}" if view else ""
    letter = Letter(f"[ddl{store.removeprefix(' of')}] trial mail", _BODY.format(store=store))
    trial = (
        uuid.uuid4().hex
    )  # another one each time, so that no reader folds it into an earlier one
    mail = build_mail(letter, settings, to, f"trial/{trial}", trial, now)
    try:
        with connected(settings) as server:
            outcome = send(server, mail, to, settings)
    except ServerProblem as error:
        return False, f"The trial mail was not sent: {error}"
    if outcome.error:
        return False, f"The trial mail was not taken for all: {outcome.error}"
    return True, f"Sent a trial mail to {', '.join(to)} through {settings.host}:{settings.port}."
