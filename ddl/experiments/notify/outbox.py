"""The outbox: a file for each message, in mail/new until it was sent, then in mail/sent.

A message is a JSON file whose name is the hash of its event's id (and "-command" for a call of the user's command), so
an event gets one message however often it is found. It is created whole, and the last act of a delivery is the rename
to mail/sent. After a death between the two it is sent again, with the same Message-ID, which folds the copies.

One process delivers at a time: `hold` is a lock of the kernel where the file system has one.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ddl.experiments.agent.whole import create_json, read_json, write_json
from ddl.experiments.notify.events import Event, read_event
from ddl.files.locks import Held, hold_lock

MAIL = "mail"
COMMAND = "command"

_NAME = re.compile(r"[0-9a-f]{32}(-command)?\.json")


@dataclass(frozen=True, kw_only=True)
class Message:
    """A message in the outbox.

    Attributes:
        event: What it tells.
        channel: "mail" or "command".
        wishes: The experiment's `mail` or `notify` settings.
        created: When it was put here.
        tries: Deliveries that have begun.
        tried: When the last one began, 0 before the first.
        next_try: When the next one is due.
        error: What the last one failed with.
        refused: Whether the server refused it for good.
        left: Recipients that still miss it, where others got it.
    """

    event: Event
    channel: str = MAIL
    wishes: Any = field(default_factory=dict)
    created: float = 0.0
    tries: int = 0
    tried: float = 0.0
    next_try: float = 0.0
    error: str = ""
    refused: bool = False
    left: tuple[str, ...] = ()

    @property
    def file_name(self) -> str:
        """The name of its file."""
        return self.event.hash + ("-command" if self.channel == COMMAND else "") + ".json"

    def to_json(self) -> dict[str, Any]:
        """Return JSON values."""
        return {
            "format": 1,
            "event": self.event.to_json(),
            "channel": self.channel,
            "wishes": self.wishes,
            "created": self.created,
            "tries": self.tries,
            "tried": self.tried,
            "next_try": self.next_try,
            "error": self.error,
            "refused": self.refused,
            "left": list(self.left),
        }


def read_message(value: Mapping[str, Any]) -> Message | None:
    """Return the message in a JSON object, None where it is none."""
    event = read_event(value.get("event"))
    if event is None:
        return None
    left = value.get("left")
    return Message(
        event=event,
        channel=COMMAND if value.get("channel") == COMMAND else MAIL,
        wishes=value.get("wishes") or {},
        created=_number(value, "created"),
        tries=int(_number(value, "tries")),
        tried=_number(value, "tried"),
        next_try=_number(value, "next_try"),
        error=str(value.get("error") or ""),
        refused=value.get("refused") is True,
        left=tuple(map(str, left)) if isinstance(left, list) else (),
    )


class Outbox:
    """The outbox of a store. Reading makes no folder."""

    def __init__(self, store: Path) -> None:
        """Name its folders."""
        self.path = store / "mail"
        self.new = self.path / "new"
        self.sent = self.path / "sent"
        self._server = self.path / "server.json"
        self._nodes = self.path / "unreachable.json"

    def add(self, message: Message) -> bool:
        """Put a message in, unless it is there or was sent. Return whether this call did."""
        if (self.sent / message.file_name).exists():
            return False
        for folder in (self.new, self.sent):
            folder.mkdir(parents=True, exist_ok=True)
        return create_json(self.new / message.file_name, message.to_json())

    def known(self) -> frozenset[str]:
        """Return the names, without .json, of all messages that are waiting or were sent."""
        return frozenset(
            name.removesuffix(".json") for name in (*_names(self.new), *_names(self.sent))
        )

    def waiting(self) -> list[Message]:
        """Return the messages in mail/new, oldest event first."""
        found = (read_message(read_json(self.new / name)) for name in _names(self.new))
        messages = [message for message in found if message is not None]
        return sorted(messages, key=lambda message: (message.event.time, message.event.id))

    def sent_since(self, time: float) -> list[Message]:
        """Return the messages whose delivery began at `time` or later and succeeded."""
        recent = []
        for name in _names(self.sent):
            path = self.sent / name
            # The file's own time is only a hint: it may come from another clock, so it gets an hour's grace.
            with contextlib.suppress(OSError):
                if path.stat().st_mtime < time - 3600:
                    continue
            message = read_message(read_json(path))
            if message is not None and message.tried >= time:
                recent.append(message)
        return recent

    def is_sent(self, message: Message) -> bool:
        """Return whether a message was sent, maybe by another process."""
        return (self.sent / message.file_name).exists()

    def update(self, message: Message, **changes: Any) -> Message:
        """Write down what has become of a waiting message, and return it."""
        changed = replace(message, **changes)
        write_json(self.new / message.file_name, changed.to_json())
        return changed

    def forgive(self) -> None:
        """Let what was refused be tried once more."""
        with self.hold() as holder:
            for message in () if holder else self.waiting():
                if message.refused:
                    self.update(message, refused=False, tries=0, next_try=0.0)

    def move_to_sent(self, file_name: str) -> None:
        """Note that the message in a file was sent."""
        with contextlib.suppress(FileNotFoundError):  # another process did
            (self.new / file_name).replace(self.sent / file_name)

    @property
    def server(self) -> dict[str, Any]:
        """What is known about the mail server: {tries, next_try, error}; {} while it answers."""
        return read_json(self._server)

    def note_server(self, facts: Mapping[str, Any]) -> None:
        """Write down that the server does not answer, or, with {}, that it does."""
        if facts:
            write_json(self._server, {"format": 1, **facts})
        else:
            self._server.unlink(missing_ok=True)

    @property
    def unreachable(self) -> dict[str, float]:
        """The nodes of which it was told that they do not answer, and since when."""
        nodes = read_json(self._nodes).get("nodes")
        return {str(k): float(v) for k, v in nodes.items()} if isinstance(nodes, dict) else {}

    def note_unreachable(self, nodes: Mapping[str, float]) -> None:
        """Write down which nodes do not answer."""
        write_json(self._nodes, {"format": 1, "nodes": dict(nodes)})

    @contextlib.contextmanager
    def hold(self) -> Iterator[str]:
        """Keep other processes from delivering during the block; yield who delivers already, "" for nobody."""
        self.path.mkdir(parents=True, exist_ok=True)
        with contextlib.ExitStack() as held:
            problem = ""
            try:
                held.enter_context(hold_lock(self.path / ".lock"))
            except BlockingIOError as error:
                problem = (
                    str(error) if isinstance(error, Held) else "another process sends the mail"
                )
            yield problem


def _names(folder: Path) -> list[str]:
    try:
        return [entry.name for entry in os.scandir(folder) if _NAME.fullmatch(entry.name)]
    except OSError:  # none yet
        return []


def _number(value: Mapping[str, Any], name: str) -> float:
    number = value.get(name)
    return float(number) if isinstance(number, int | float) else 0.0
