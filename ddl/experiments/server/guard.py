"""Who may ask what: pages of other sites may not, and nobody changes anything without the token. Pure.

A browser on this machine runs pages of strangers, too. A stranger's page that had its own name point to 127.0.0.1
sends that name as Host; one that posts here sends its Origin. Both are refused. The token stands in the fragment of
the address that `serve` prints, which browsers do not send.
"""

from __future__ import annotations

import hmac
import ipaddress
import re
import secrets
import socket
from collections.abc import Mapping
from urllib.parse import urlsplit

TOKEN_HEADER = "x-ddl-token"

_HOST = re.compile(r"(?:\[(?P<number>[0-9a-f:.]+)\]|(?P<name>[a-z0-9._-]+))(?::[0-9]{1,5})?")

HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "x-frame-options": "DENY",
    "cache-control": "no-store",
}
"""Headers of every answer."""


class Guard:
    """The rules of one server."""

    def __init__(self, host: str, token: str | None = None) -> None:
        """Make a token.

        Args:
            host: the address that the server listens at.
            token: a token for tests.
        """
        self.token = token or secrets.token_urlsafe(32)
        self._is_open = not is_loopback(host)
        self._names = {"localhost", host.lower()}
        if self._is_open:
            self._names |= {socket.gethostname().lower(), socket.getfqdn().lower()}

    def refusal(self, method: str, headers: Mapping[str, str]) -> str:
        """Return why a request is refused, "" if it is not. Names of headers are in lower case."""
        host = headers.get("host", "")
        if not self._is_ours(_name_of(host)):
            return f"Received: Host {host!r}. Expected: the address that `serve` printed."
        origin = headers.get("origin")
        if origin is not None and urlsplit(origin).netloc.lower() != host.lower():
            return f"Received: a request of the page {origin!r}. Expected: one of this server."
        if method in ("GET", "HEAD"):
            return ""
        given = headers.get(TOKEN_HEADER, "").encode("utf-8", "surrogateescape")
        if not hmac.compare_digest(given, self.token.encode()):
            return "Received: no token, or another one. Expected: the one in the address that `serve` printed."
        return ""

    def _is_ours(self, name: str) -> bool:
        if name in self._names:
            return True
        try:
            address = ipaddress.ip_address(name)
        except ValueError:
            return False
        # A number as Host is no name that a stranger's server could point elsewhere.
        return self._is_open or address.is_loopback


def is_loopback(host: str) -> bool:
    """Return whether only this machine reaches an address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def _name_of(host: str) -> str:
    """Return a Host header without its port, which a tunnel changes; "" where it is none."""
    found = _HOST.fullmatch(host.lower())
    return (found["number"] or found["name"]).rstrip(".") if found else ""
