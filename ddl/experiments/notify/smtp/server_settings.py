"""The user's mail server: ~/.config/ddl/mail.yaml.

host: smtp.example.org
port: 587
security: starttls            # or ssl (port 465), or none
user: ada
password_file: ~/.config/ddl/smtp-password      # mode 600; or $DDL_SMTP_PASSWORD
from: ada@example.org
to: ada@example.org           # for specs that name nobody
"""

from __future__ import annotations

import difflib
import ipaddress
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ddl.experiments.notify.smtp.password import VARIABLE, Secret, read_password
from ddl.experiments.notify.wishes import read_addresses
from ddl.experiments.spec.text.item import SpecError
from ddl.experiments.spec.text.reading import read_document

PORTS = {"starttls": 587, "ssl": 465, "none": 25}

_KEYS = ("host", "port", "security", "user", "password_file", "from", "to")
_HOST = re.compile(r"[A-Za-z0-9._:\[\]-]+")


@dataclass(frozen=True, kw_only=True)
class ServerSettings:
    """A mail server and how to log in there.

    Attributes:
        host: Its name or address.
        port: Its port.
        security: "starttls", "ssl" or "none".
        user: Name to log in with, "" for none.
        sender: Address in From.
        to: Recipients where a spec names none.
        password: The password.
    """

    host: str
    port: int
    security: str
    user: str
    sender: str
    to: tuple[str, ...] = ()
    password: Secret


def settings_path() -> Path:
    """Return where the settings stand."""
    base = os.environ.get("XDG_CONFIG_HOME") or ""
    folder = Path(base) if base.startswith("/") else Path.home() / ".config"
    return folder / "ddl" / "mail.yaml"


def read_server_settings(path: Path | None = None) -> ServerSettings:
    """Return the settings in a file.

    Raises:
        ValueError: The file is missing, a key or a value is not as expected, or others can read the password.
    """
    path = path or settings_path()
    given = _read(path)
    security = given.get("security", "starttls").lower()
    if security not in PORTS:
        raise _bad(path, "security", security, "starttls, ssl or none")
    host = given.get("host", "")
    if not _HOST.fullmatch(host):
        raise _bad(path, "host", host, "the name of a mail server, such as smtp.example.org")
    sender = read_addresses(f"{path}: from", given.get("from"))
    if not sender:
        raise ValueError(f"Received: {path} without from. Expected: from: you@example.org")
    user = given.get("user", "")
    secret_file = given.get("password_file")
    file = path.parent / Path(secret_file).expanduser() if secret_file else None
    password = read_password(file)
    if user and not password:
        raise ValueError(
            f"Received: {path} with user and no password. Expected: ${VARIABLE}, or password_file: a file of mode 600."
        )
    if user and security == "none" and not is_loopback(host):
        raise _bad(path, "security", "none", "starttls or ssl: a password must not travel in clear")
    return ServerSettings(
        host=host,
        port=_port(path, given.get("port"), PORTS[security]),
        security=security,
        user=user,
        sender=sender[0],
        to=read_addresses(f"{path}: to", given.get("to")),
        password=password,
    )


def is_loopback(host: str) -> bool:
    """Return whether a host is this machine, by its name or its address."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def _read(path: Path) -> dict[str, Any]:
    if not path.exists():
        raise ValueError(
            f"Received: no {path}. Expected: a file with host, from, user and password_file of your mail server."
        )
    try:
        given = read_document(path).plain()
    except SpecError as error:
        # The error quotes the file, which may hold what nobody should see: its place is enough.
        place = error.problems[0].partition(": Received")[0]
        where = place if place.startswith(str(path)) else str(path)
        raise ValueError(
            f"Received: {where}, which is no YAML in UTF-8. Expected: KEY: VALUE lines, each key once."
        ) from None
    if not isinstance(given, Mapping):
        raise ValueError(f"Received: {path} without settings. Expected: host: smtp.example.org")
    return {key: _checked(path, key, value) for key, value in given.items()}


def _checked(path: Path, key: str, value: Any) -> Any:
    if "passw" in key.lower() and key != "password_file":
        raise ValueError(
            f"Received: {path} with {key}. Expected: ${VARIABLE}, or password_file: a file of mode 600 with it."
        )
    if key not in _KEYS:
        near = difflib.get_close_matches(key, _KEYS, 1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise ValueError(
            f"Received: {path}: unknown key {key!r}. Expected: one of {', '.join(_KEYS)}{hint}"
        )
    if key in ("to", "port"):
        return value
    if not isinstance(value, str):
        raise _bad(path, key, value, "one text")
    return value


def _port(path: Path, value: Any, default: int) -> int:
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value < 65536:
        raise _bad(path, "port", value, "a number from 1 to 65535")
    return value


def _bad(path: Path, key: str, value: object, expected: str) -> ValueError:
    return ValueError(f"Received: {path}: {key}: {value}. Expected: {expected}.")
