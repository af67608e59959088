"""The password of the mail server: from the environment or a file that only the user can read, and nowhere else."""

from __future__ import annotations

import base64
import os
import stat
from pathlib import Path

VARIABLE = "DDL_SMTP_PASSWORD"

_HIDDEN = "(hidden)"
_MOST_BYTES = 4096


class Secret:
    """A text that shows itself only where it is asked for."""

    def __init__(self, text: str) -> None:
        """Keep the text."""
        self._text = text

    def reveal(self) -> str:
        """Return the text."""
        return self._text

    def __repr__(self) -> str:
        """Return a text without the secret."""
        return _HIDDEN

    def __bool__(self) -> bool:
        """Return whether there is any."""
        return bool(self._text)

    def scrubbed(self, text: str, user: str = "") -> str:
        """Return a text, such as a server's reply, without the secret in any form that SMTP sends it in."""
        if not self._text:
            return text
        plain = self._text.encode("utf-8", "surrogateescape")
        name = user.encode()
        for raw in (plain, b"\0" + name + b"\0" + plain):
            text = text.replace(base64.b64encode(raw).decode(), _HIDDEN)
        return text.replace(self._text, _HIDDEN)


_taken: list[Secret] = []


def take_from_environment() -> Secret:
    """Return the password of the environment, and take it out of it, so that no child process inherits it.

    Jobs inherit the environment: `sbatch` hands over all of it, and a training run writes some of it down.
    """
    text = os.environ.pop(VARIABLE, None)
    if text is not None:
        _taken[:] = [Secret(text)]
    return _taken[0] if _taken else Secret("")


def read_password(file: Path | None) -> Secret:
    """Return the password: the environment's, else that in a file, else an empty one.

    Raises:
        ValueError: Others can read the file, or it is not the user's own.
    """
    secret = take_from_environment()
    return secret if secret or file is None else _from_file(file)


def _from_file(path: Path) -> Secret:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise ValueError(
            f"Received: password_file: {path}: {error.strerror}. Expected: a file with the password."
        ) from None
    try:
        data = _checked(path, descriptor)
    finally:
        os.close(descriptor)
    text = data.decode("utf-8", "surrogateescape").rstrip("\r\n")
    if not text or "\n" in text or len(data) == _MOST_BYTES:
        raise ValueError(
            f"Received: password_file: {path}, which holds no password. Expected: one line."
        )
    return Secret(text)


def _checked(path: Path, descriptor: int) -> bytes:
    """Return the contents of an open file that is the user's own. Its name may be another file's by now."""
    facts = os.fstat(descriptor)
    mode = stat.S_IMODE(facts.st_mode)
    if not stat.S_ISREG(facts.st_mode):
        problem, remedy = "is no regular file", "a file."
    elif facts.st_uid != os.geteuid():
        problem, remedy = "belongs to another user", "a file of your own."
    elif mode & 0o077:
        problem, remedy = f"others can read (mode {mode:04o})", f"chmod 600 {path}"
    else:
        return os.read(descriptor, _MOST_BYTES)
    raise ValueError(f"Received: password_file: {path}, which {problem}. Expected: {remedy}")
