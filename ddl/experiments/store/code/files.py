"""Which files of a folder are code, and are copied when it is frozen. All else is linked to: data, environments."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path

from ddl.experiments.agent.layout import STORE_NAME
from ddl.experiments.store.folder import read_store
from ddl.git import ask_git

_LARGEST_BYTES = 1 << 20
"""Largest file that git does not track and that still counts as code."""
_LARGE_FOLDER = 5_000
"""A folder with more entries holds data."""
_MOST_ENTRIES = 50_000
"""Entries looked at in all, so that a home folder is refused and not read for minutes."""
_DEEPEST = 30
_GIT_TIMEOUT_S = 60.0

_SOURCES = re.compile(
    r"\.(py|pyx|pyi|ipynb|sh|bash|zsh|csh|r|rmd|jl|m|lua|pl|rb|js|ts|go|rs|java|scala|kt|c|h|cc|cpp|cxx|hh|hpp|cu|cuh|"
    r"f|f90|f95|cl|sql|proto|prototxt|yaml|yml|toml|ini|cfg|gin|cmake)",
    re.IGNORECASE,
)
_SETTINGS = re.compile(r"\.(json|txt|conf|env|md|rst|tsv|csv)", re.IGNORECASE)
"""Suffixes that count beside a source only: a folder of nothing but JSON may hold results."""
_NAMES = frozenset({"Makefile", "Dockerfile", "Snakefile", "CMakeLists.txt"})
_NEVER = frozenset({"__pycache__", "node_modules", "site-packages", "conda-meta"})


def code_files(
    top: Path, is_tracked: bool, store: Path, folder: Path, words: Iterable[str] = ()
) -> list[str]:
    """Return the files of code, relative to `top`.

    With git: what it tracks, as it is now, and untracked sources that it does not ignore. Without: sources. And small
    files that the command names.

    Raises:
        ValueError: The folder has too many entries to be one of code.
    """
    walk = _Walk(top, store)
    found = _tracked(top, walk) if is_tracked else set(walk.sources(top, 0, is_code=True))
    found |= {name for word in words if (name := _named(word, top, folder, store))}
    return sorted(found)


def is_store(folder: Path) -> bool:
    """Return whether a folder is a store of experiments, which is no code. A file of that name alone makes none."""
    if not (folder / STORE_NAME).is_file():
        return False
    try:
        read_store(folder)
    except (OSError, ValueError):
        return False
    return True


def _tracked(top: Path, walk: _Walk) -> set[str]:
    listed = ask_git(top, "ls-files", "-z", "--recurse-submodules", timeout_s=_GIT_TIMEOUT_S)
    if listed is None:  # an old git, or a broken submodule
        listed = ask_git(top, "ls-files", "-z", timeout_s=_GIT_TIMEOUT_S)
    found = {name for name in _names(listed) if walk.is_outside_store(top / name)}
    others = "ls-files", "-z", "--others", "--exclude-standard", "--directory"
    for name in _names(ask_git(top, *others, timeout_s=_GIT_TIMEOUT_S)):
        path = top / name
        if not walk.is_outside_store(path):
            continue
        if name.endswith("/"):
            found.update(walk.sources(path, 0))
        elif is_source(path) or (_has_suffix(path, _SETTINGS) and is_small(path)):
            found.add(name)
    return {name for name in found if os.path.lexists(top / name)}


def _names(listed: bytes | None) -> list[str]:
    return [os.fsdecode(name) for name in (listed or b"").split(b"\0") if name]


class _Walk:
    """Looks for sources in folders that git does not track."""

    def __init__(self, top: Path, store: Path) -> None:
        self._top, self._store = top, store
        self._left = _MOST_ENTRIES

    def is_outside_store(self, path: Path) -> bool:
        return path != self._store and self._store not in path.parents

    def sources(self, folder: Path, depth: int, *, is_code: bool = False) -> list[str]:
        """Return the code in a folder that holds a source somewhere; [] for others, which are linked as a whole."""
        entries = self._entries(folder, depth)
        own = [entry for entry in entries if entry.is_file(follow_symlinks=False)]
        paths = [Path(entry.path) for entry in own]
        found = [path for path in paths if is_source(path)]
        inner = [
            name
            for entry in entries
            if entry.is_dir(follow_symlinks=False) and not entry.name.startswith(".")
            for name in self.sources(Path(entry.path), depth + 1)
        ]
        if not found and not inner and not is_code:
            return []
        found += [path for path in paths if _has_suffix(path, _SETTINGS) and is_small(path)]
        return [str(path.relative_to(self._top)) for path in found] + inner

    def _entries(self, folder: Path, depth: int) -> list[os.DirEntry[str]]:
        left_out = folder.name in _NEVER or not self.is_outside_store(folder)
        if left_out or depth > _DEEPEST or is_store(folder) or (folder / "pyvenv.cfg").exists():
            return []
        try:
            with os.scandir(folder) as listed:
                entries = sorted(listed, key=lambda entry: entry.name)
        except OSError:  # not ours to read
            return []
        self._left -= len(entries)
        if self._left < 0:
            raise ValueError(
                f"Received: code in {self._top}, a folder with more than {_MOST_ENTRIES} files. Expected: one of code; "
                "leave data out by .gitignore, or say `code: live` in the spec."
            )
        return entries if len(entries) <= _LARGE_FOLDER else []


def is_source(path: Path) -> bool:
    """Return whether a file is small and by its suffix a source, or a program that is no binary."""
    if not is_small(path):
        return False
    if path.name in _NAMES or _has_suffix(path, _SOURCES):
        return True
    return not path.suffix and os.access(path, os.X_OK) and _is_script(path)


def is_small(path: Path) -> bool:
    """Return whether a path is a regular file of at most 1 MiB."""
    try:
        return path.is_file() and path.stat().st_size <= _LARGEST_BYTES
    except OSError:
        return False


def _has_suffix(path: Path, suffixes: re.Pattern[str]) -> bool:
    return bool(suffixes.fullmatch(path.suffix))


def _is_script(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(2) == b"#!"
    except OSError:
        return False


def _named(word: str, top: Path, folder: Path, store: Path) -> str | None:
    """Return the small file below `top` that a word of a command names, or the value in --flag=VALUE."""
    for text in (word, word.partition("=")[2]):
        if not text or "\0" in text or len(text) > 4096:
            continue
        path = Path(os.path.normpath(folder / text))
        if path.is_relative_to(top) and not path.is_relative_to(store) and is_small(path):
            return str(path.relative_to(top))
    return None
