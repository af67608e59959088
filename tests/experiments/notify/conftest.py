"""A mail server, the user's settings for it, and a store's folder."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.experiments.notify.sink import Sink, running


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the user's settings; no password in the environment."""
    folder = tmp_path / "config" / "ddl"
    folder.mkdir(parents=True)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(folder.parent))
    monkeypatch.delenv("DDL_SMTP_PASSWORD", raising=False)
    monkeypatch.setattr("ddl.experiments.notify.smtp.password._taken", [])
    monkeypatch.setattr("ddl.experiments.notify.delivery._told", set())
    return folder


@pytest.fixture
def sink() -> Iterator[Sink]:
    """A mail server that takes everything."""
    with running() as found:
        yield found


@pytest.fixture
def configured(home: Path, sink: Sink) -> Callable[..., None]:
    """Write mail.yaml for the server; more lines are appended."""

    def write(*lines: str, port: int = 0) -> None:
        all_lines = (
            "host: 127.0.0.1",
            f"port: {port or sink.port}",
            "security: none",
            "from: ddl@example.org",
            *lines,
        )
        (home / "mail.yaml").write_text("\n".join(all_lines) + "\n")

    write()
    return write


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """The folder of a store."""
    folder = tmp_path / "work" / "experiments" / "cells"
    folder.mkdir(parents=True)
    return folder
