"""A mail server for the tests, on loopback and a free port: it answers as told, and keeps what it takes."""

from __future__ import annotations

import email
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import Message
from email.policy import default
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword

DROP = "drop"
"""An answer to DATA: the connection ends without one, and the mail was taken."""

PASSWORD = "correct-horse-battery"
HOST = "127.0.0.1"


class Sink:
    """What the server has taken, and what it is to answer next."""

    def __init__(self) -> None:
        """Start with no mails and no odd answers."""
        self.mails: list[Message] = []
        self.recipients: list[list[str]] = []
        self.answers: list[str] = []
        """Answers to the next DATA commands; "" takes the mail."""
        self.refused: dict[str, str] = {}
        """Recipient -> answer to RCPT."""
        self.port = 0
        self.connections = 0

    @property
    def ids(self) -> list[str]:
        """The Message-IDs, in order."""
        return [str(mail["Message-ID"]) for mail in self.mails]

    @property
    def subjects(self) -> list[str]:
        """The subjects, in order."""
        return [str(mail["Subject"]) for mail in self.mails]

    async def handle_EHLO(  # noqa: N802 (aiosmtpd's name)
        self, server: Any, session: Any, envelope: Any, hostname: str, responses: list[str]
    ) -> list[str]:
        """Count the connections."""
        self.connections += 1
        session.host_name = hostname
        return responses

    async def handle_RCPT(  # noqa: N802
        self, server: Any, session: Any, envelope: Any, address: str, options: Any
    ) -> str:
        """Take a recipient, or answer as told."""
        if address in self.refused:
            return self.refused[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        """Take a mail, or answer as told."""
        answer = self.answers.pop(0) if self.answers else ""
        if answer and answer != DROP:
            return answer
        self.mails.append(email.message_from_bytes(envelope.content, policy=default))
        self.recipients.append(list(envelope.rcpt_tos))
        if answer == DROP:
            server.transport.abort()
        return "250 taken"


@contextmanager
def running(**settings: Any) -> Iterator[Sink]:
    """Run a server during the block. `settings` are those of aiosmtpd's SMTP."""
    sink = Sink()
    with socket.socket() as free:
        free.bind((HOST, 0))
        sink.port = free.getsockname()[1]
    controller = Controller(sink, hostname=HOST, port=sink.port, ready_timeout=20, **settings)
    controller.start()
    try:
        yield sink
    finally:
        controller.stop()


def login(server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
    """Let in who has the password."""
    assert isinstance(data, LoginPassword)
    return AuthResult(success=data.password == PASSWORD.encode(), handled=False)


def certificate(folder: Path) -> tuple[Path, ssl.SSLContext]:
    """Make a certificate of localhost; return its file and the server's context."""
    import subprocess

    cert, key = folder / "cert.pem", folder / "key.pem"
    name = ("-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1")
    made = ("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256")
    subprocess.run(
        [*made, "-nodes", "-days", "2", *name, "-keyout", str(key), "-out", str(cert)],
        check=True,
        capture_output=True,
        timeout=30,
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    return cert, context
