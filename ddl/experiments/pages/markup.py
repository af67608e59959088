"""HTML from texts of strangers: every text is escaped, in elements, in attributes and in JSON."""

from __future__ import annotations

import base64
import hashlib
import html
from importlib import resources

from ddl.plain_text import escaped


def text(value: object) -> str:
    """Return a text for an element or for an attribute in double quotes: no markup, no invisible characters."""
    return html.escape(escaped(value))


def tag(name: str, content: str, **attributes: object) -> str:
    """Return an element with content that is markup already. `class_` is `class`, `data_v` is `data-v`."""
    given = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{text(value)}"'
        for key, value in attributes.items()
        if value not in (None, "")
    )
    return f"<{name}{given}>{content}</{name}>"


def file_text(package: str, name: str) -> str:
    """Return a text file that comes with a package."""
    return resources.files(package).joinpath(name).read_text(encoding="utf-8")


def digest(content: str) -> str:
    """Return what a Content-Security-Policy allows an inline script or style by."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()}'"
