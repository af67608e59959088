"""The copy of an experiment on a node that does not see the store: what is sent, what is fetched.

Each file has one writer. The manager's side sends what the experiment is and what is wanted of it; the node's side
writes attempts, histories and results, which come back. Nothing is deleted on either side.
"""

from __future__ import annotations

import glob
import json
import os
import posixpath
import shutil
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ddl.experiments.agent.layout import STORE_NAME, AttemptFolder, ExperimentFolder
from ddl.experiments.backends.transport import Transport
from ddl.experiments.problem import Unreachable
from ddl.experiments.spec.node import Node
from ddl.experiments.spec.records import Experiment
from ddl.experiments.store.code.freeze import folder_of
from ddl.experiments.store.folder import StoreFolder

FOLDER = "~/ddl-experiments"
"""Folder on a node for the copies of stores, unless `folder:` of the node names another."""

Say = Callable[[str], None]

_LINKED = 'tmp="$1.$$"; cat > "$tmp" && ln "$tmp" "$1"; s=$?; rm -f "$tmp"; test -e "$1" || exit $s'
_FILES_S = 24 * 3600.0
_RECORDS_S = 300.0


def root_of(node: Node, store: StoreFolder, transport: Transport) -> str:
    """Return the store's folder on a node."""
    if node.shared:
        return str(store.path)
    folder = node.folder or FOLDER
    if folder == "~" or folder.startswith("~/"):
        folder = transport.home() + folder[1:]
    if not folder.startswith("/"):
        folder = posixpath.join(transport.home(), folder)
    return posixpath.join(folder, f"{store.path.name}-{store.id}")


class Sender:
    """Sends to one node; code and files that several experiments share go once."""

    def __init__(self, store: StoreFolder, transport: Transport, root: str, say: Say) -> None:
        """Remember where to. Sends nothing yet."""
        self._store = store
        self._transport = transport
        self._root = root
        self._say = say
        self._sent: set[tuple[str, ...]] = set()

    def send(
        self,
        experiment: ExperimentFolder,
        record: Experiment,
        attempt: AttemptFolder | None = None,
        with_files: bool = True,
    ) -> None:
        """Send an experiment, with the intent of an attempt if there is one; `with_files`: also its code and files.

        Raises:
            Unreachable: The connection broke off.
            ValueError: A file is missing, or cannot be written there.
        """
        try:
            self._make_root()
            if with_files:
                self._send_code(record)
                self._send_files(record)
            self._send_records(experiment, attempt)
        except OSError as error:
            raise ValueError(f"Received: {error}. Expected: files that can be copied.") from None

    def _make_root(self) -> None:
        if ("root",) in self._sent:
            return
        done = self._transport.run(["mkdir", "-p", f"{self._root}/code"])
        if done.returncode:
            raise OSError(f"{self._transport.host}: {self._root}: {done.stderr.strip()[-200:]}")
        self._sent.add(("root",))

    def _send_code(self, record: Experiment) -> None:
        name = record.code.snapshot
        if not name or ("code", name) in self._sent:
            return
        there = f"{self._root}/code/{name}"
        if self._transport.run(["test", "-e", f"{there}/.ddl-complete"]).returncode:
            # Links to what stands beside the code here would lead nowhere there.
            self._transport.run(["mkdir", "-p", there])
            self._transport.send(self._store.code / name, there, ("--safe-links", "--chmod=u+w"))
            self._transport.run(["touch", f"{there}/.ddl-complete"])
        self._sent.add(("code", name))

    def _send_files(self, record: Experiment) -> None:
        target = folder_there(record, self._root)
        key = ("files", target, *record.files)
        if not record.files or key in self._sent:
            return
        source = Path(record.code.source or record.run.folder)
        found = matches(source, record.files)
        size = sum(_size(source / name) for name in found)
        self._say(
            f"{self._transport.host or 'this machine'}: {_shown(size)} in {len(found)} files or folders "
            f"({', '.join(record.files)})"
        )
        self._transport.run(["mkdir", "-p", target])
        with tempfile.NamedTemporaryFile("w", encoding="utf-8", errors="surrogateescape") as names:
            names.write("".join(f"{name}\0" for name in found))
            names.flush()
            rules = ("-r", "-L", "--from0", f"--files-from={names.name}")
            self._transport.send(source, target, rules, timeout_s=_FILES_S)
        self._sent.add(key)

    def _send_records(self, experiment: ExperimentFolder, attempt: AttemptFolder | None) -> None:
        """Send the small files: first what changes, then the intent, which never replaces one that is there."""
        with tempfile.TemporaryDirectory() as folder:
            stage = Path(folder) / experiment.path.name
            inside = stage / "attempts" / (str(attempt.number) if attempt else "")
            inside.mkdir(parents=True)
            for path in (experiment.experiment, experiment.wanted):
                if path.exists():
                    shutil.copyfile(path, stage / path.name)
            shutil.copyfile(self._store.path / STORE_NAME, Path(folder) / STORE_NAME)
            rules = ("--no-t", "--checksum")
            self._transport.send(Path(folder), self._root, rules, timeout_s=_RECORDS_S)
            if attempt is not None:
                shutil.copyfile(attempt.intent, inside / attempt.intent.name)
                there = f"{self._root}/{experiment.path.name}/attempts/{attempt.number}"
                words = ("--ignore-existing",)
                self._transport.send(inside, there, words, timeout_s=_RECORDS_S)


def send_wanted(transport: Transport, root: str, store: StoreFolder, names: Sequence[str]) -> None:
    """Send what is wanted of experiments of these names, where they are on the node already."""
    with tempfile.NamedTemporaryFile("w", encoding="utf-8") as rules:
        for name in names:
            rules.write(f"+ /{escaped_name(name)}/\n+ /{escaped_name(name)}/wanted.json\n")
        rules.write("- *\n")
        rules.flush()
        words = ("--existing", "--checksum", f"--filter=merge {rules.name}")
        transport.send(store.path, root, words, timeout_s=_RECORDS_S)


def escaped_name(name: str) -> str:
    """Return a name as a pattern of rsync that means just this name."""
    return "".join(f"\\{letter}" if letter in "*?[\\" else letter for letter in name)


def create_there(transport: Transport, path: str, value: dict[str, Any]) -> None:
    """Make a JSON file on a node unless it is there.

    Raises:
        Unreachable: It is not known whether it was made.
    """
    text = json.dumps(value, indent=1, allow_nan=False) + "\n"
    done = transport.run(["sh", "-c", _LINKED, "sh", path], stdin=text)
    if done.returncode:
        raise Unreachable(f"{transport.host}: could not write {path}: {done.stderr.strip()[-200:]}")


def folder_there(record: Experiment, root: str) -> str:
    """Return the folder that the command of an experiment runs in on a node."""
    return str(folder_of(Path(root), record))


def matches(folder: Path, patterns: Sequence[str]) -> list[str]:
    """Return the files and folders below `folder` that patterns name.

    Raises:
        ValueError: A pattern names nothing, or something outside.
    """
    found: dict[str, None] = {}
    for pattern in patterns:
        names = sorted(glob.glob(pattern, root_dir=folder, recursive=True))  # noqa: PTH207
        if not names:
            raise ValueError(
                f"Received: files: {pattern}, which names nothing in {folder}. Expected: files and folders to send."
            )
        for name in names:
            inside = os.path.normpath(name)
            if Path(inside).is_absolute() or inside.startswith(".."):
                raise ValueError(
                    f"Received: files: {pattern}, outside {folder}. Expected: paths inside it, for nodes that do not "
                    "see the store; make a link to it there."
                )
            found[inside] = None
    return list(found)


def _size(path: Path) -> int:
    if path.is_dir():
        return sum(_size(entry) for entry in path.iterdir())
    return path.stat().st_size if path.is_file() else 0


def _shown(size_bytes: int) -> str:
    for unit, factor in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if size_bytes >= factor:
            return f"{size_bytes / factor:.1f} {unit}"
    return f"{size_bytes} bytes"
