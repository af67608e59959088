"""Stores: made, opened, found. A folder that is not one of ours, or damaged, is refused in one line."""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ddl.experiments.agent.layout import EXPERIMENT_NAME, STORE_NAME, ExperimentFolder
from ddl.experiments.agent.whole import create_json
from ddl.files import check_folder, parse_json, read_text

FORMAT = 1
VARIABLE = "DDL_STORE"
"""Environment variable that names the store."""
STORES = "experiments"
"""Folder beside a spec in which its store is made."""
_OWN_FOLDERS = frozenset({"code", "seen", "mail", "removed"})
TEMPORARY = ".new-"
"""Start of the names of experiments' folders that are not whole yet."""


@dataclass(frozen=True)
class StoreFolder:
    """A store that was opened."""

    path: Path
    id: str
    name: str

    @property
    def code(self) -> Path:
        """Folder of frozen code."""
        return self.path / "code"

    @property
    def seen(self) -> Path:
        """Folder of what `sync` saw of each node."""
        return self.path / "seen"

    @property
    def waits(self) -> Path:
        """Why the last `sync` did nothing for experiments that are queued."""
        return self.path / "waits.json"

    @property
    def table(self) -> Path:
        """The table of all experiments."""
        return self.path / "experiments.csv"

    def folders(self) -> list[ExperimentFolder]:
        """Return the folders of its experiments, by number."""
        with os.scandir(self.path) as entries:
            names = [entry.name for entry in entries if entry.name[:1].isdigit()]
        found = [(number_of(name), name) for name in names if number_of(name)]
        return [ExperimentFolder(self.path / name) for _, name in sorted(found)]


def number_of(name: str) -> int:
    """Return the number in front of an experiment's name, 0 where there is none."""
    digits, dash, _ = name.partition("-")
    return int(digits) if dash and digits.isascii() and digits.isdecimal() else 0


def create_store(path: Path, name: str) -> StoreFolder:
    """Return the store in `path`, made if there is none. Of several callers at once all get the same one.

    Raises:
        ValueError: The folder holds something else, or cannot be made.
    """
    path = Path(os.path.abspath(path))  # noqa: PTH100 (a link stays the name that the user gave)
    if not (path / STORE_NAME).exists():
        check_folder("store", path)
        path.mkdir(parents=True, exist_ok=True)
        foreign = sorted(entry.name for entry in path.iterdir() if not entry.name.startswith("."))
        if foreign and foreign != [STORE_NAME]:
            raise ValueError(
                f"Received: store={path}, a folder with other files ({foreign[0]}). Expected: a store, or a new name."
            )
        made = {"format": FORMAT, "id": secrets.token_hex(4), "name": name, "created": time.time()}
        create_json(path / STORE_NAME, {**made, "next_number": 1})
    return open_store(path)


def open_store(path: Path) -> StoreFolder:
    """Return the store in `path`.

    Raises:
        ValueError: There is none, it is damaged, or of a newer format.
    """
    path = Path(os.path.abspath(path))  # noqa: PTH100
    facts = read_store(path)
    return StoreFolder(path, facts["id"], str(facts["name"]))


def read_store(path: Path) -> Mapping[str, Any]:
    """Return what store.json says, checked."""
    remedy = "a folder that `add` made; give store=FOLDER, or set DDL_STORE"
    try:
        facts = parse_json(read_text(path / STORE_NAME))
    except (FileNotFoundError, NotADirectoryError):
        what = "which is no store" if path.is_dir() else "which is no folder"
        raise ValueError(f"Received: store={path}, {what}. Expected: {remedy}.") from None
    except ValueError:
        facts = None
    newer = facts.get("format") if isinstance(facts, dict) else None
    if isinstance(newer, int) and newer > FORMAT:
        raise ValueError(
            f"Received: store={path} of format {newer}. Expected: format {FORMAT}; use the newer ddl that made it."
        )
    if newer != FORMAT or not _is_id(facts.get("id")) or "name" not in facts:
        raise ValueError(
            f"Received: {path / STORE_NAME}, which is damaged. Expected: what `add` wrote; restore it from a copy."
        )
    return dict(facts)


def _is_id(value: object) -> bool:
    return (
        isinstance(value, str) and len(value) == 8 and all(c in "0123456789abcdef" for c in value)
    )


def store_for(store: Path | None, spec_store: Path) -> Path:
    """Return where a spec's experiments go: the folder given, else $DDL_STORE, else the spec's own."""
    return store or Path(os.environ.get(VARIABLE) or spec_store)


def find_store(store: Path | None, cwd: Path) -> StoreFolder:
    """Return the store that is meant: the one given, $DDL_STORE's, the one around `cwd`, or the one below it.

    Raises:
        ValueError: None is found, or several.
    """
    given = store or (Path(os.environ[VARIABLE]) if os.environ.get(VARIABLE) else None)
    if given is not None:
        return open_store(cwd / given)
    for folder in (cwd, *cwd.parents):
        if (folder / STORE_NAME).is_file() and _is_within(folder, cwd):
            return open_store(folder)
    found = sorted(entry.parent for entry in (cwd / STORES).glob(f"*/{STORE_NAME}"))
    if len(found) == 1:
        return open_store(found[0])
    if found:
        names = ", ".join(folder.name for folder in found[:5])
        raise ValueError(
            f"Received: {len(found)} stores in {cwd / STORES} ({names}). Expected: one; give store=FOLDER, or set "
            f"{VARIABLE}."
        )
    raise ValueError(
        f"Received: no store in {cwd / STORES}. Expected: one that `add` made; give store=FOLDER, or set {VARIABLE}."
    )


def _is_within(store: Path, folder: Path) -> bool:
    """Return whether a folder is a store, or a place that stores have. Further up store.json may be anybody's file."""
    first = "".join(folder.relative_to(store).parts[:1])
    return not first or first in _OWN_FOLDERS or bool(number_of(first))


def store_of_spec(spec: Path) -> StoreFolder:
    """Return the store beside a spec's file to which the spec was added. The file may have changed meanwhile.

    Raises:
        ValueError: There is none, or several.
    """
    stores = spec.parent / STORES
    found = [
        entry.parent
        for entry in sorted(stores.glob(f"*/{STORE_NAME}"))
        if spec.name in read_store(entry.parent).get("specs", ())
    ]
    if len(found) == 1:
        return open_store(found[0])
    if found:
        names = ", ".join(folder.name for folder in found[:5])
        raise ValueError(
            f"Received: {spec}, which was added to several stores ({names}). Expected: one; give store=FOLDER."
        )
    raise ValueError(
        f"Received: {spec}, which is in no store of {stores}. Expected: a spec that was added; run `add {spec}` first, "
        "or give store=FOLDER."
    )


def is_experiment(folder: Path) -> bool:
    """Return whether a folder is an experiment's."""
    return bool(number_of(folder.name)) and (folder / EXPERIMENT_NAME).is_file()
