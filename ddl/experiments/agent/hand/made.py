"""Experiments that nobody has planned: a script that was submitted by hand reports itself into a store."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import re
import secrets
import time
import uuid
from pathlib import Path
from typing import Any, Iterator, Mapping

from ddl.experiments.agent.layout import (
    EXPERIMENT_NAME,
    STORE_NAME,
    AttemptFolder,
    ExperimentFolder,
)
from ddl.experiments.agent.node.processes import find, own_identity
from ddl.experiments.agent.whole import create_json, make_folder, read_json, write_json

CHAIN = "none"
"""Nobody makes a next attempt: the user starts the script again."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._=+-]{0,99}")
_LOCK = ".add.lock"
_TEMPORARY = ".new-"
_WAIT_S = 30.0


def make_store(path: Path) -> None:
    """Make a store unless there is one.

    Raises:
        ValueError: the folder holds something else.
    """
    if (path / STORE_NAME).exists():
        return
    path.mkdir(parents=True, exist_ok=True)
    others = [entry.name for entry in path.iterdir() if not entry.name.startswith(".")]
    if others and others != [STORE_NAME]:
        raise ValueError(
            f"Received: --store {path}, a folder with other files ({sorted(others)[0]}). "
            "Expected: a store, or a new name."
        )
    facts = {"format": 1, "id": secrets.token_hex(4), "name": path.name, "created": time.time()}
    create_json(path / STORE_NAME, {**facts, "next_number": 1})


def experiment_of(store: Path, name: str) -> ExperimentFolder | None:
    """Return the experiment with this name or label."""
    for folder in sorted(store.glob("[0-9]*-*")):
        if (
            name in (folder.name, folder.name.partition("-")[2])
            and (folder / EXPERIMENT_NAME).exists()
        ):
            return ExperimentFolder(folder)
    return None


def make_experiment(store: Path, name: str, parameters: Mapping[str, Any]) -> ExperimentFolder:
    """Return the experiment with this name, made if there is none.

    Raises:
        ValueError: the name cannot be one.
    """
    if not _NAME.fullmatch(name):
        raise ValueError(
            f"Received: --name {name}. Expected: letters, digits and . _ = + - (at most 100)."
        )
    make_store(store)
    with _held(store):
        return experiment_of(store, name) or _make(store, name, parameters)


def _make(store: Path, name: str, parameters: Mapping[str, Any]) -> ExperimentFolder:
    facts = read_json(store / STORE_NAME)
    taken = [
        int(path.name.partition("-")[0])
        for path in store.glob("[0-9]*-*")
        if path.name.partition("-")[0].isdigit()
    ]
    number = max([int(facts.get("next_number") or 1), *(one + 1 for one in taken)])
    # The next number is on disk before a folder has it, because names of attempts are unique for ever.
    write_json(store / STORE_NAME, {**facts, "next_number": number + 1})
    folder = store / f"{_TEMPORARY}{uuid.uuid4().hex[:12]}"
    folder.mkdir()
    record = _record(number, name, parameters)
    write_json(folder / EXPERIMENT_NAME, record)
    final = store / str(record["name"])
    folder.rename(final)
    return ExperimentFolder(final)


def _record(number: int, name: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
    settings = json.dumps({"by hand": name, "parameters": parameters}, sort_keys=True)
    return {
        "format": 1,
        "number": number,
        "name": f"{number:03d}-{name}",
        "label": name,
        "id": hashlib.sha256(settings.encode()).hexdigest()[:16],
        "spec_name": "",
        "author": os.environ.get("USER", ""),
        "subject": "submitted by hand",
        "group": "",
        "added": time.time(),
        "parameters": dict(parameters),
        "run": {"argv": ["(submitted by hand)"], "folder": str(Path.cwd())},
    }


def begin(experiment: ExperimentFolder, pid: int) -> AttemptFolder:
    """Begin an attempt whose process is already there: the script that reports.

    Raises:
        ValueError: the process is not there, or another one has begun at this moment.
    """
    process = find(pid)
    if process is None:
        raise ValueError(f"Received: process {pid}. Expected: one that lives on this machine.")
    experiment.attempts.mkdir(exist_ok=True)
    experiment.run_dir.mkdir(exist_ok=True)
    number = max(experiment.attempt_numbers(), default=0) + 1
    attempt = experiment.attempt(number)
    identity = {
        **own_identity(),
        "pid": pid,
        "start_ticks": process.start_ticks,
        "session": process.session,
    }
    store_id = read_json(experiment.store / STORE_NAME).get("id", "")
    experiment_number = int(read_json(experiment.experiment).get("number") or 0)
    intent = {
        "format": 1,
        "name": f"ddl-{store_id}-{experiment_number:03d}-a{number}",
        "number": number,
        "node": "here",
        "backend": "hand",
        "created": time.time(),
        "by": "user",
        "reason": "first" if number == 1 else "resume",
        "chain": CHAIN,
        "root": str(experiment.store),
    }
    if not make_folder(attempt.path) or not create_json(attempt.intent, intent):
        raise ValueError(
            f"Received: {experiment.path.name}, begun twice at once. Expected: one script at a time."
        )
    attempt.claims.mkdir()
    attempt.claim(0).mkdir()
    more = {
        "job_id": os.environ.get("SLURM_JOB_ID", ""),
        "restarts": 0,
        "started": time.time(),
        "by_hand": True,
    }
    create_json(attempt.claim(0) / "identity.json", {**identity, **more})
    return attempt


@contextlib.contextmanager
def _held(store: Path) -> Iterator[None]:
    """Keep other scripts and `add` out. The lock's file goes away with its last holder, so it is looked at again."""
    path, until_s = store / _LOCK, time.monotonic() + _WAIT_S
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o666)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if path.exists() and os.path.samestat(path.stat(), os.fstat(descriptor)):
                break
        except BlockingIOError:
            if time.monotonic() > until_s:
                os.close(descriptor)
                raise ValueError(
                    f"Received: --store {store}, which is locked. Expected: one at a time."
                ) from None
        except OSError:  # a file system without locks
            break
        os.close(descriptor)
        time.sleep(0.05)
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            path.unlink()
        os.close(descriptor)
