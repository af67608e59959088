"""A manager that goes on elsewhere: ddl's part of it packed into one file, started on a node that stays on."""

from __future__ import annotations

import functools
import hashlib
import io
import zipfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from ddl.experiments.backends.processes import brief
from ddl.experiments.backends.remote_agent import RemoteAgent
from ddl.experiments.backends.transport import Transport
from ddl.experiments.problem import Unreachable
from ddl.experiments.spec.node import Node
from ddl.experiments.states import ENDED
from ddl.experiments.store.folder import StoreFolder
from ddl.experiments.store.view import StoreView
from ddl.files.locks import Held, hold_lock

_LOCK = ".manage.lock"
_ROOMS = ("ddl/experiments", "ddl/files", "ddl/distributed/job")
_MODULES = ("ddl/*.py", "scripts/experiments.py")
_EMPTY = {"ddl/distributed/__init__.py": b'"""Left out: a manager trains nothing."""\n'}
_LEFT_OUT = ("ddl/experiments/server", "ddl/experiments/diagnosis")
_TIME = (2020, 1, 1, 0, 0, 0)
# The folder gets its name last, so one with the right name is whole.
_UNPACK = (
    'test -d "$1" && exit; mkdir -p "$1.$$" && cat > "$1.$$/z.zip" && '
    '"$2" -m zipfile -e "$1.$$/z.zip" "$1.$$" && rm "$1.$$/z.zip" && mv "$1.$$" "$1"; '
    's=$?; rm -rf "$1.$$"; test -d "$1" || exit $s'
)
_START = (
    'cd "$1" && DDL_MANAGER_NODE="$5" nohup setsid "$2" "$3/scripts/experiments.py" manage --store "$1" --every "$4" '
    ">> .manage.log 2>&1 < /dev/null & echo $!"
)
_OLDEST = (3, 10)
_VERSION = "import sys; print('%d.%d' % sys.version_info[:2])"


def is_done(view: StoreView, impossible: Collection[str] = ()) -> bool:
    """Return whether nothing more happens until the user says so.

    Args:
        view: the store.
        impossible: experiments that no node can ever run.
    """
    return all(
        item.state in ENDED or item.state in ("planned", "paused") or item.name in impossible
        for item in view.experiments
    )


@contextmanager
def lock(store: StoreFolder) -> Iterator[bool]:
    """Hold the lock of a store's manager. Yield whether nobody else holds it: two are safe, and one suffices."""
    held = hold_lock(store.path / _LOCK)
    try:
        held.__enter__()
    except (BlockingIOError, Held):
        yield False
        return
    try:
        yield True
    finally:
        held.__exit__(None, None, None)


def start_manager(node: Node, transport: Transport, root: str, every: str) -> int:
    """Start a manager for the store in a folder on a node, beside one that may be there. Return its process.

    Raises:
        ValueError: The node's Python is too old.
        Unreachable: The node did not answer.
    """
    python = _check_python(node, transport)
    sha, data = packed()
    folder = f"{transport.home()}/.ddl/managers/{sha}"
    _run(transport, ["sh", "-c", _UNPACK, "sh", folder, python], data)
    words = ["sh", "-c", _START, "sh", root, python, folder, every, node.name]
    return int(_run(transport, words, b""))


def is_alive(transport: Transport, root: str, pid: int) -> bool:
    """Return whether a manager is at work: that process, and no later one with its number."""
    done = transport.run(["cat", f"/proc/{pid}/cmdline"])
    return root in done.stdout and "manage" in done.stdout


def _check_python(node: Node, transport: Transport) -> str:
    python = RemoteAgent(transport, node.python).python()
    done = transport.run([python, "-c", _VERSION])
    version = tuple(int(part) for part in done.stdout.strip().split(".") if part.isdigit())
    if done.returncode or version < _OLDEST:
        received = done.stdout.strip() or brief(done.stderr)
        raise ValueError(
            f"Received: on={node.name} with Python {received}. Expected: 3.10 or newer for a manager; `python:` of the "
            "node in nodes.yaml names another."
        )
    return python


def _run(transport: Transport, words: list[str], data: bytes) -> str:
    done = transport.run(words, stdin=data, timeout_s=120)
    if done.returncode:
        raise Unreachable(f"{transport.host or 'this machine'}: {brief(done.stderr)}")
    return done.stdout


@functools.cache
def packed() -> tuple[str, bytes]:
    """Return the checksum and the bytes of a zip with all that a manager needs: equal sources give equal bytes."""
    root = Path(__file__).resolve().parents[4]
    names = {path for room in _ROOMS for path in (root / room).rglob("*.py")}
    names |= {path for pattern in _MODULES for path in root.glob(pattern)}
    kept = sorted(path.relative_to(root).as_posix() for path in names)
    kept = [name for name in kept if not name.startswith(_LEFT_OUT)]
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted([*kept, *_EMPTY]):
            entry = zipfile.ZipInfo(name, _TIME)
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, _EMPTY.get(name) or (root / name).read_bytes())
    return hashlib.sha256(data.getvalue()).hexdigest()[:16], data.getvalue()
