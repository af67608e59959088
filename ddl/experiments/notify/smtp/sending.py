"""A mail and its way to the server: by SMTP, and with what is known about it afterwards in three words.

A server's 5 hundreds are for good, its 4 hundreds and a broken connection are for later. A connection that breaks
after the text was sent leaves it open whether the mail was taken, so the mail goes again with the same Message-ID.
"""

from __future__ import annotations

import smtplib
import ssl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import formatdate

from ddl.experiments.notify.letter import Letter
from ddl.experiments.notify.smtp.server_settings import ServerSettings
from ddl.plain_text import encodable, escaped

TIMEOUT_S = 20.0
_MOST_REPLY = 300
_LONGEST_LINE = 200  # a subject in one line
_TOO_LARGE = 552  # said of this mail only


class ServerProblem(Exception):
    """The server cannot be used at all now. `needs_user`: waiting does not help, the settings are wrong."""

    def __init__(self, text: str, needs_user: bool = False) -> None:
        """Keep the text, one line."""
        super().__init__(text)
        self.needs_user = needs_user


@dataclass(frozen=True)
class Outcome:
    """What became of a mail: `left` are the recipients for later, `refused` those for good; none: all have it."""

    left: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()
    error: str = ""


def build_mail(
    letter: Letter,
    settings: ServerSettings,
    to: Sequence[str],
    event_id: str,
    event_hash: str,
    time: float,
    picture: bytes | None = None,
) -> EmailMessage:
    """Return the mail about an event. The same event gives the same Message-ID."""
    mail = EmailMessage(policy=SMTP.clone(max_line_length=_LONGEST_LINE))
    # What comes from users is one line by now; `EmailMessage` would refuse a line break in a header.
    mail["Subject"] = encodable(escaped(letter.subject))
    mail["From"] = settings.sender
    mail["To"] = ", ".join(to)
    mail["Date"] = formatdate(time, localtime=True)
    mail["Message-ID"] = f"<ddl-{event_hash}@{settings.sender.rpartition('@')[2]}>"
    mail["Auto-Submitted"] = "auto-generated"
    mail["X-DDL-Event"] = encodable(escaped(event_id))
    # Any server takes it: not all take 8 bits.
    mail.set_content(encodable(letter.body), cte="quoted-printable")
    if picture:
        mail.add_attachment(picture, maintype="image", subtype="png", filename="curve.png")
    return mail


@contextmanager
def connected(settings: ServerSettings) -> Iterator[smtplib.SMTP]:
    """Connect and log in.

    Raises:
        ServerProblem: The server does not answer, or does not let us in.
    """
    try:
        server = _connect(settings)
    except smtplib.SMTPAuthenticationError as error:
        temporary = error.smtp_code < 500
        raise ServerProblem(_told(settings, _reply(error)), not temporary) from None
    except smtplib.SMTPNotSupportedError as error:
        raise ServerProblem(_told(settings, str(error)), True) from None
    except ssl.SSLCertVerificationError as error:
        told = f"its certificate is not trusted: {error.verify_message}"
        raise ServerProblem(_told(settings, told), True) from None
    except smtplib.SMTPResponseException as error:
        raise ServerProblem(_told(settings, _reply(error)), error.smtp_code >= 500) from None
    except (OSError, smtplib.SMTPException, UnicodeError) as error:
        raise ServerProblem(_told(settings, str(error) or type(error).__name__)) from None
    try:
        yield server
    finally:
        with suppress(OSError, smtplib.SMTPException):
            server.quit()
        server.close()


def send(
    server: smtplib.SMTP, mail: EmailMessage, to: Sequence[str], settings: ServerSettings
) -> Outcome:
    """Send a mail to its recipients.

    Raises:
        ServerProblem: The connection broke. Whether the server took the mail is not known.
    """
    try:
        refused = server.send_message(mail, settings.sender, list(to))
    except smtplib.SMTPRecipientsRefused as error:
        refused = error.recipients
    except smtplib.SMTPServerDisconnected as error:
        raise ServerProblem(_told(settings, str(error))) from None
    except smtplib.SMTPSenderRefused as error:
        if (
            error.smtp_code >= 500 and error.smtp_code != _TOO_LARGE
        ):  # no mail of ours will be taken
            raise ServerProblem(_told(settings, _reply(error)), True) from None
        return _of_all(to, error, settings)
    except smtplib.SMTPResponseException as error:  # of DATA
        return _of_all(to, error, settings)
    except (OSError, smtplib.SMTPException) as error:
        raise ServerProblem(_told(settings, str(error) or type(error).__name__)) from None
    left = tuple(name for name, (code, _) in refused.items() if code < 500)
    told = "; ".join(f"{name}: {code} {_text(reply)}" for name, (code, reply) in refused.items())
    return Outcome(left, tuple(name for name in refused if name not in left), told[:_MOST_REPLY])


def _of_all(
    to: Sequence[str], error: smtplib.SMTPResponseException, settings: ServerSettings
) -> Outcome:
    told = settings.password.scrubbed(_reply(error), settings.user)
    return Outcome(tuple(to), (), told) if error.smtp_code < 500 else Outcome((), tuple(to), told)


def _connect(settings: ServerSettings) -> smtplib.SMTP:
    host, port = settings.host.strip("[]"), settings.port
    context = ssl.create_default_context()
    server = (
        smtplib.SMTP_SSL(host, port, timeout=TIMEOUT_S, context=context)
        if settings.security == "ssl"
        else smtplib.SMTP(host, port, timeout=TIMEOUT_S)
    )
    try:
        if settings.security == "starttls":
            server.starttls(context=context)
        if settings.user:
            server.login(settings.user, settings.password.reveal())
    except BaseException:
        server.close()
        raise
    return server


def _told(settings: ServerSettings, text: str) -> str:
    words = f"{settings.host}:{settings.port}: {text}"
    return escaped(settings.password.scrubbed(words, settings.user))[:_MOST_REPLY]


def _reply(error: smtplib.SMTPResponseException) -> str:
    return f"{error.smtp_code} {_text(error.smtp_error)}"[:_MOST_REPLY]


def _text(reply: bytes | str) -> str:
    text = reply.decode("utf-8", "replace") if isinstance(reply, bytes) else str(reply)
    return escaped(" ".join(text.split()))
